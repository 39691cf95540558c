"""Find what an edit changes and follow it; or take the user's own masks."""

import tempfile

from lib.checkpoints import resolve_path
from lib.detector import configure_ultralytics, load_detector, track_objects
from lib.devices import prepare_torch
from lib.errors import InputError, Problem
from lib.files import read_json, whole_file, write_json
from lib.frames import read_references, read_user_mask
from lib.masks import describe_user_mask, make_edit_mask, overlay
from lib.provenance import describe
from lib.stage_log import stage_log
from lib.video_io import read_first_frame, read_video, write_mask, write_viewable

params, inputs, outputs, wildcards = snakemake.params, snakemake.input, snakemake.output, snakemake.wildcards
settings = {key.removeprefix("mask."): value for key, value in params.settings.items()}
with stage_log(snakemake.log[0], f"segment_masks: {wildcards.clip}, {wildcards.edit}"):
    clip_facts, video = read_json(inputs.facts), read_video(inputs.video)
    edited = (read_first_frame(inputs.first_frame), read_references(inputs.references, clip_facts["indices"]))
    detector, confidence = settings.pop("detector"), settings.pop("confidence")
    if inputs.masks:
        paths = dict(zip(params.mask_indices, inputs.masks, strict=True))
        mask = read_user_mask(paths, clip_facts["indices"], clip_facts["crop"])
        facts = describe_user_mask(mask, video, *edited, settings["difference_threshold"])
    else:
        tracks = []
        if detector:
            configure_ultralytics(tempfile.mkdtemp())
            device, _ = prepare_torch(params.device, "float32", snakemake.threads)
            tracks = track_objects(load_detector(resolve_path(detector)), video, confidence, device, params.classes)
        mask, facts = make_edit_mask(video, *edited, tracks, **settings, frame_stride=params.frame_stride)
    if not mask.any():
        found, expected = "no difference from source frame 0", "an edited frame, or masks of your own"
        raise InputError([Problem("first_frame", found, expected, wildcards.clip, wildcards.edit)])
    with whole_file(outputs.mask) as path:
        write_mask(path, mask, clip_facts["times"])
    with whole_file(outputs.overlay) as path:
        write_viewable(path, overlay(video, mask), clip_facts["times"], params.crf)
    made = describe("segment_masks", params.settings, inputs, [outputs.mask])
    write_json(outputs.facts, {**facts, "provenance": made})
