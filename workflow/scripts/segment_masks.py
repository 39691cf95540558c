"""Find what an edit changes and follow it; or take the user's own masks."""

from lib.detector import find_tracks
from lib.files import read_json, whole_file, write_json
from lib.frames import read_references, read_user_mask
from lib.masks import describe_user_mask, make_edit_mask, overlay, refuse_empty
from lib.provenance import describe
from lib.stage_log import stage_log
from lib.video_io import VideoInfo, read_first_frame, read_video, write_mask, write_viewable

params, inputs, outputs, wildcards = snakemake.params, snakemake.input, snakemake.output, snakemake.wildcards
settings = {key.removeprefix("mask."): value for key, value in params.settings.items()}
with stage_log(snakemake.log[0], f"segment_masks: {wildcards.clip}, {wildcards.edit}"):
    clip, video = read_json(inputs.facts), read_video(inputs.video)
    edited = (read_first_frame(inputs.first_frame), read_references(inputs.references, clip["indices"]))
    detecting = (settings.pop("detector"), settings.pop("confidence"), params.classes, params.device)
    if inputs.masks:
        paths = dict(zip(params.mask_indices, inputs.masks, strict=True))
        mask = read_user_mask(paths, clip["indices"], clip["crop"])
        facts = describe_user_mask(mask, video, *edited, settings["difference_threshold"])
    else:
        tracks = find_tracks(video, *detecting, snakemake.threads)
        mask, facts = make_edit_mask(video, *edited, tracks, **settings, frame_stride=params.frame_stride)
    refuse_empty(mask, wildcards.clip, wildcards.edit)
    with whole_file(outputs.mask) as path:
        write_mask(path, mask, clip["times"])
    with whole_file(outputs.overlay) as path:
        write_viewable(path, overlay(video, mask), clip["times"], params.crf, None, VideoInfo(**clip["source"]))
    write_json(outputs.facts, {**facts, "provenance": describe("segment_masks", params.settings, inputs, outputs[:1])})
