"""Encode a clip for stage 1."""

from lib.core.files import read_json, write_json
from lib.core.provenance import describe
from lib.diffusion.encoding import encode_source, save_encoded
from lib.execution.devices import describe_device
from lib.masks.edit_mask import union_masks
from lib.stages.log import stage_log
from lib.stages.model import load_stage_model
from lib.video.reading import read_mask, read_video

settings = {**snakemake.params.settings, **snakemake.params.machine}
inputs, outputs, wildcards = snakemake.input, snakemake.output, snakemake.wildcards
with stage_log(snakemake.log[0], f"encode_source: {wildcards.clip}, {wildcards.mask}", snakemake.resources.attempt):
    model, device = load_stage_model(settings, {"vae", "encoders"}, snakemake.threads, log=snakemake.log[0])
    union = union_masks([read_mask(path) for path in inputs.masks])
    prompt = read_json(inputs.captions)["source"]["prompt"]
    copies = (settings["training.recoloured_copies"], snakemake.params.trigger_word)
    how = (wildcards.mask, *copies, snakemake.params.windows)
    encoded = encode_source(model, read_video(inputs.video), union, prompt, *how)
    save_encoded(encoded, outputs.encoded)
    made = describe("encode", {**settings, "prompt": prompt}, inputs, outputs[:1], describe_device(device))
    write_json(outputs.provenance, made)
