"""Encode what an edit is generated from, and its references for stage 2."""

from lib.devices import prepare_torch
from lib.encoding import encode_edit, save_encoded
from lib.files import read_json
from lib.frames import read_references
from lib.models import load_model
from lib.stage_log import stage_log
from lib.video_io import read_first_frame, read_mask, read_video

settings = {**snakemake.params.settings, **snakemake.params.machine}
inputs, wildcards = snakemake.input, snakemake.wildcards
with stage_log(snakemake.log[0], f"encode_edit: {wildcards.clip}, {wildcards.edit}, {wildcards.mask}"):
    device, dtype = prepare_torch(settings["model.device"], settings["model.dtype"], snakemake.threads)
    model = load_model(
        settings["model.name"], {"vae", "encoders"}, family=settings["model.family"],
        device=device, dtype=dtype, download=settings["model.download"],
    )  # fmt: skip
    encoded = encode_edit(
        model, read_video(inputs.video), read_first_frame(inputs.first_frame),
        read_references(inputs.references, read_json(inputs.facts)["indices"]), read_mask(inputs.mask),
        read_json(inputs.caption)["prompt"], settings["sampling.negative_prompt"], wildcards.mask,
    )  # fmt: skip
    save_encoded(encoded, snakemake.output.encoded)
