"""Encode what an edit is generated from, and its references for stage 2."""

from lib.core.files import read_json, write_json
from lib.core.provenance import describe
from lib.diffusion.captions import make_prompt
from lib.diffusion.encoding import encode_edit, save_encoded
from lib.execution.devices import describe_device
from lib.masks.compositing import correct_edited
from lib.stages.log import stage_log
from lib.stages.model import load_stage_model
from lib.video.alignment import read_references
from lib.video.reading import read_first_frame, read_mask, read_video

params, inputs, outputs, wildcards = snakemake.params, snakemake.input, snakemake.output, snakemake.wildcards
settings = {**params.settings, **params.machine, "training.reference_sample": params.reference_sample}
with stage_log(
    snakemake.log[0], f"encode_edit: {wildcards.clip}, {wildcards.edit}, {wildcards.mask}", snakemake.resources.attempt
):
    model, device = load_stage_model(settings, {"vae", "encoders"}, snakemake.threads, log=snakemake.log[0])
    video, mask = read_video(inputs.video), read_mask(inputs.mask)
    references = read_references(inputs.references, read_json(inputs.facts)["indices"])
    given = {0: read_first_frame(inputs.first_frame), **references}
    correct = settings["mask.correct_edited"]
    edited = {index: correct_edited(frame, video[index], mask[index], correct) for index, frame in given.items()}
    caption = params.own_prompt or read_json(inputs.captions)["edited"]["caption"]
    prompts = (make_prompt(params.trigger_word, caption), settings["sampling.negative_prompt"])
    how = (*prompts, wildcards.mask, params.reference_sample or "still", settings["sampling.image_context"])
    save_encoded(encode_edit(model, video, edited.pop(0), edited, mask, *how, params.window), outputs.encoded)
    made = describe("encode", {**settings, "prompt": prompts[0]}, inputs, outputs[:1], describe_device(device))
    write_json(outputs.provenance, made)
