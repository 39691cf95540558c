"""Find what an edit changes and follow it; or take the user's own masks."""

from pathlib import Path

from lib.core.files import read_json, whole_file, write_json
from lib.core.provenance import describe
from lib.masks.edit_mask import hold_back, refuse_empty
from lib.masks.sheet import draw_sheet, overlay
from lib.stages.log import stage_log
from lib.stages.segment_masks import segment
from lib.video.alignment import read_references, read_user_mask
from lib.video.images import write_image
from lib.video.probing import VideoInfo
from lib.video.reading import read_first_frame, read_video
from lib.video.writing import write_mask, write_viewable

params, inputs, outputs, wildcards = snakemake.params, snakemake.input, snakemake.output, snakemake.wildcards
with stage_log(snakemake.log[0], f"segment_masks: {wildcards.clip}, {wildcards.edit}", snakemake.resources.attempt):
    clip, video = read_json(inputs.facts), read_video(inputs.video)
    edited = {0: read_first_frame(inputs.first_frame), **read_references(inputs.references, clip["indices"])}
    own = (inputs.masks, params.mask_indices, clip["indices"], clip["crop"])
    user_mask = read_user_mask(*own) if inputs.masks else None
    settings = {**params.settings, "mask.shape": params.shape}
    how = (settings, params.classes, params.device, snakemake.threads, params.frame_stride)
    mask, facts = segment(video, edited, user_mask, *how)
    refuse_empty(mask, wildcards.clip, wildcards.edit)
    sheet = draw_sheet(video, edited, settings["mask.difference_threshold"], mask, facts)
    beside_log = Path(snakemake.log[0]).with_suffix(".png")  # no log of the rule's: a retry would empty it
    if settings["mask.below_confidence"] == "hold":
        write_image(beside_log, sheet)
        hold_back(facts, str(beside_log), wildcards.clip, wildcards.edit)
    beside_log.unlink(missing_ok=True)  # not held back: the sheet stands with the mask
    write_image(outputs.sheet, sheet)
    with whole_file(outputs.mask) as path:
        write_mask(path, mask, clip["times"])
    with whole_file(outputs.overlay) as path:
        write_viewable(path, overlay(video, mask), clip["times"], params.crf, None, VideoInfo(**clip["source"]))
    write_json(outputs.facts, {**facts, "provenance": describe("segment_masks", settings, inputs, outputs[:1])})
