"""Measure an edited video, beside the VAE round trip and the unedited copy of the source."""

from lib.core.files import read_json, whole_file, write_json
from lib.core.provenance import describe
from lib.execution.devices import describe_device
from lib.inputs.checkpoints import resolve_path
from lib.masks.compositing import correct_edited
from lib.metrics.background import dilate_mask
from lib.metrics.rows import describe_first_frame, describe_joins, evaluate_rows
from lib.metrics.video import difference_video
from lib.stages.log import stage_log
from lib.stages.model import load_stage_model
from lib.video.probing import VideoInfo
from lib.video.reading import read_first_frame, read_mask, read_video
from lib.video.writing import write_viewable

params, inputs, outputs, wildcards = snakemake.params, snakemake.input, snakemake.output, snakemake.wildcards
settings = {**params.settings, **params.machine}
with stage_log(
    snakemake.log[0], f"evaluate: {wildcards.clip}, {wildcards.edit}, {wildcards.method}", snakemake.resources.attempt
):
    model, device = load_stage_model(settings, {"vae"}, snakemake.threads)
    edited, source = read_video(inputs.edited), read_video(inputs.source)
    facts = read_json(inputs.facts)
    first_frame, mask = read_first_frame(inputs.first_frame), read_mask(inputs.mask)
    used = correct_edited(first_frame, source[0], mask[0], settings["mask.correct_edited"])
    clip = (resolve_path(settings["metrics.clip_model"]), device, settings["model.download"])
    rows = evaluate_rows(model, edited, source, first_frame, mask, settings["metrics.background_dilation"], *clip)
    shown_as = VideoInfo(**facts["source"])
    with whole_file(outputs.difference) as path:
        write_viewable(path, difference_video(edited, source), facts["times"], params.crf, None, shown_as)
    dilated = dilate_mask(mask, settings["metrics.background_dilation"])
    details = {
        "first_frame": describe_first_frame(edited, source, first_frame, used, dilated),
        "joins": describe_joins(rows["edited"], params.windows),
        "provenance": describe("evaluate", settings, inputs, [], describe_device(device)),
    }
    write_json(outputs.metrics, {"rows": rows, **details})
