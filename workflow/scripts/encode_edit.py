"""Encode what an edit is generated from, and its references for stage 2."""

from lib.encoding import encode_edit, save_encoded
from lib.files import read_json
from lib.frames import read_references
from lib.stage_log import stage_log
from lib.stage_model import load_stage_model
from lib.video_io import read_first_frame, read_mask, read_video

settings = {**snakemake.params.settings, **snakemake.params.machine}
inputs, wildcards = snakemake.input, snakemake.wildcards
with stage_log(snakemake.log[0], f"encode_edit: {wildcards.clip}, {wildcards.edit}, {wildcards.mask}"):
    model, _ = load_stage_model(settings, {"vae", "encoders"}, snakemake.threads)
    first_frame = read_first_frame(inputs.first_frame)
    references = read_references(inputs.references, read_json(inputs.facts)["indices"])
    prompts = (read_json(inputs.caption)["prompt"], settings["sampling.negative_prompt"])
    source_video, edit_mask = read_video(inputs.video), read_mask(inputs.mask)
    encoded = encode_edit(model, source_video, first_frame, references, edit_mask, *prompts, wildcards.mask)
    save_encoded(encoded, snakemake.output.encoded)
