"""The mask of an edit: the user's own, or one made from what the edit changed and how that moves."""

from pathlib import Path
from typing import Any

from lib.config.sections import MaskSection, ModelSection, VideoSection
from lib.core.files import read_json, whole_file, write_json
from lib.core.provenance import describe
from lib.execution.devices import prepare_torch
from lib.masks.boxes import FollowRegion
from lib.masks.clip_motion import PairFlows, measure_flows, region_flows
from lib.masks.edit_mask import MaskSettings, describe_user_mask, make_edit_mask, why_not
from lib.masks.facts import Facts
from lib.masks.followers import make_followers
from lib.masks.object_links import Detection, detections_from_json, of_classes
from lib.masks.refusals import read_refusal, refusal
from lib.masks.sheet import draw_sheet, overlay
from lib.stages.job import Files, Job, Params
from lib.video.alignment import read_references, read_user_mask
from lib.video.arrays import DecodedVideo, Mask, Picture
from lib.video.flow_file import read_flows
from lib.video.images import write_image
from lib.video.probing import VideoInfo
from lib.video.reading import read_first_frame, read_video
from lib.video.writing import write_mask, write_viewable


class Inputs(Files):
    """The clip and its edited frames; the user's masks, or else the clip's objects and motion.

    instructed: what is known of the edited frames that were made as instructions say.
    """

    video: Path
    facts: Path
    first_frame: Path
    references: Path
    masks: tuple[Path, ...]
    objects: Path | None
    motion: Path | None
    instructed: tuple[Path, ...] = ()


class Outputs(Files):
    """The mask without loss, white = edit; what is known of it; an overlay and a sheet for people."""

    mask: Path
    facts: Path
    overlay: Path
    sheet: Path


class SegmentMasks(Params):
    """What shapes the mask.

    mask: all of the section but detector, classes and correct_edited; video: crf; model: device.
    classes: of the detector, to consider; None: all. mask_indices: source frame index of each of the user's images.
    frame_stride: frames that share a latent frame. clip, edit: as the user calls them.
    """

    mask: MaskSection
    video: VideoSection
    model: ModelSection
    classes: tuple[str, ...] | None
    mask_indices: tuple[int, ...]
    frame_stride: int
    clip: str
    edit: str


def segment_masks(inputs: Inputs, outputs: Outputs, params: SegmentMasks, job: Job) -> None:
    """Write an edit's mask and what a person needs to judge it."""
    clip, video = read_json(inputs.facts), read_video(inputs.video)
    edited = {0: read_first_frame(inputs.first_frame), **read_references(inputs.references, clip["indices"])}
    if inputs.masks:
        mask = read_user_mask(inputs.masks, params.mask_indices, clip["indices"], clip["crop"])
        references = {position: picture for position, picture in edited.items() if position}
        facts = describe_user_mask(mask, video, edited[0], references, mask_settings(params.mask, params.frame_stride))
    else:
        mask, facts = _make_mask(inputs, params, job, video, edited)
    write_image(outputs.sheet, draw_sheet(video, edited, params.mask.difference_threshold, mask, facts))
    with whole_file(outputs.overlay) as path:
        shown_as = VideoInfo(**clip["source"])
        write_viewable(path, overlay(video, mask), clip["times"], params.video.crf, None, shown_as)
    refused = (problem for path in inputs.instructed if (problem := read_refusal(path)))
    problem = next(refused, None) or why_not(mask, facts, hold=params.mask.below_confidence == "hold")
    if problem:
        print(f"not made: {problem.found}; expected {problem.expected}. See {outputs.sheet}")
        mask, facts = mask & False, {**facts, **refusal(problem, params.clip, params.edit)}
    with whole_file(outputs.mask) as path:
        write_mask(path, mask, clip["times"])
    given = [path for path in (*inputs.masks, inputs.video, inputs.first_frame, inputs.references) if path]
    made = describe("segment_masks", params.described(), given, [outputs.mask])
    write_json(outputs.facts, {**facts, "provenance": made})


def _make_mask(
    inputs: Inputs, params: SegmentMasks, job: Job, video: DecodedVideo, edited: dict[int, Picture]
) -> tuple[Mask, Facts]:
    """Follow what the edited frames change through the clip."""
    assert inputs.objects and inputs.motion, "without masks of the user's the rule gives objects and motion"
    objects = read_json(inputs.objects)
    return make_edit_mask(
        video,
        edited[0],
        {position: picture for position, picture in edited.items() if position},
        _of_classes(objects, params),
        mask_settings(params.mask, params.frame_stride),
        _followers(params, job, video),
        region_flows(video, _read_motion(inputs.motion, video)),
    )


def _read_motion(path: Path, video: DecodedVideo) -> PairFlows:
    """Read the clip's flow; a clip of one frame has none."""
    return PairFlows(*read_flows(path, 2)) if len(video) > 1 else measure_flows(video)


def _of_classes(objects: dict[str, Any], params: SegmentMasks) -> list[Detection]:
    """Return the detections to consider; none where there is no detector, whatever classes are named."""
    found = detections_from_json(objects["detections"])
    return of_classes(found, params.classes, objects["classes"]) if objects["classes"] else found


def _followers(params: SegmentMasks, job: Job, video: DecodedVideo) -> dict[str, FollowRegion]:
    """Offer the prompted trackers that the settings name and the ladder holds."""
    section = params.mask
    yoloe, sam2 = (getattr(section, name) if name in section.methods else None for name in ("yoloe", "sam2"))
    if yoloe is None and sam2 is None:
        return {}
    device, _ = prepare_torch(params.model.device, "float32", job.num_threads)
    return make_followers(video, yoloe, sam2, section.confidence, device)


def mask_settings(section: MaskSection, frame_stride: int) -> MaskSettings:
    """Take what shapes a mask from the section of the settings."""
    return MaskSettings(
        methods=tuple(section.methods),
        shape=section.shape,
        margin=section.margin,
        min_margin=section.min_margin,
        object_margin=section.object_margin,
        object_min_margin=section.object_min_margin,
        smoothing=section.smoothing,
        difference_threshold=section.difference_threshold,
        global_share=section.global_share,
        min_confidence=section.min_confidence,
        frame_stride=frame_stride,
    )
