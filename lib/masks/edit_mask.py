"""From what an edit changed in a few frames to the region of every frame that may change.

Owns mask polarity. edit_mask: bool (frames, height, width), True = the region to edit. It is loose on purpose:
one rectangle per region and frame, since a new object needs room that the old one did not fill.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from lib.config.sections import MaskMethod, MaskShape
from lib.core.errors import Problem
from lib.masks.boxes import FollowRegion
from lib.masks.clip_motion import RegionFlows, region_flows
from lib.masks.differences import change_outside, edit_difference, scaled
from lib.masks.facts import Facts, describe_mask
from lib.masks.object_links import Detection
from lib.masks.region_paths import TRUST, RegionPath, follow_regions
from lib.masks.shapes import Margin, draw_loose, draw_noisy, draw_tight
from lib.video.arrays import DecodedVideo, Mask, Picture
from lib.video.cuts import find_cuts


@dataclass(frozen=True)
class MaskSettings:
    """How masks are made.

    Attributes:
        methods: rungs of the ladder to use, see `lib.masks.region_paths`.
        shape: what is drawn of a region's path.
        margin: added to a loose box on each side, share of the box's width and height.
        min_margin: least margin, pixels at 480p.
        object_margin, object_min_margin: the same of whole objects, in frames in which they were detected.
        smoothing: frames on each side over which a loose box is smoothed.
        difference_threshold: CIE Lab delta E from which a pixel counts as edited.
        global_share: share of edited pixels in a frame from which the whole frame is masked.
        min_confidence: below it the next rung is tried, and a person should look at what is left.
        frame_stride: frames that share a latent frame, after frame 0, which has its own.
    """

    methods: tuple[MaskMethod, ...]
    shape: MaskShape
    margin: float
    min_margin: float
    object_margin: float
    object_min_margin: float
    smoothing: int
    difference_threshold: float
    global_share: float
    min_confidence: float
    frame_stride: int


def make_edit_mask(
    source_video: DecodedVideo,
    edited_first_frame: Picture,
    references: Mapping[int, Picture],
    detections: Sequence[Detection],
    settings: MaskSettings,
    followers: Mapping[str, FollowRegion] = MappingProxyType({}),
    flows: RegionFlows | None = None,
) -> tuple[Mask, Facts]:
    """Make the mask of an edit, and say how it came about.

    Args:
        source_video: (frames, height, width, 3) uint8 RGB.
        edited_first_frame: (height, width, 3) uint8 RGB, aligned with frame 0.
        references: further edited frames, by their position in `source_video`.
        detections: of the objects in `source_video`; may be empty.
        settings: see there.
        followers: prompted trackers by method, yoloe and sam2.
        flows: of `region_flows(source_video)`; None: measured here.

    Returns:
        edit_mask, all False where no edited frame differs from its source, and the facts of
        `lib.masks.facts.describe_mask`.
    """
    differences = edit_differences(source_video, edited_first_frame, references, settings.difference_threshold)
    largest = max(float(difference.mean()) for difference in differences.values())
    flows = flows or region_flows(source_video)
    cuts = find_cuts(source_video, flows.backward)
    paths: list[RegionPath] = []
    edit_mask = np.full(source_video.shape[:3], largest > 0)
    method, held = "whole_frame" if largest else "none", []
    if 0 < largest < settings.global_share:
        reach = scaled(settings.min_margin, *source_video.shape[1:3])
        paths = follow_regions(
            source_video,
            flows,
            cuts,
            differences,
            detections,
            followers,
            methods=settings.methods,
            min_confidence=settings.min_confidence,
            reach=reach,
        )
        method = _main_method(paths)
        edit_mask = _draw(paths, edit_mask.shape, settings)
        held = _shares_held(paths, differences, edit_mask.shape, settings)
    outside = change_outside(source_video[0], edited_first_frame, edit_mask[0], settings.difference_threshold)
    return edit_mask, describe_mask(method, edit_mask, differences, paths, held, outside, cuts, settings.min_confidence)


def edit_differences(
    source_video: DecodedVideo, edited_first_frame: Picture, references: Mapping[int, Picture], threshold: float
) -> dict[int, Mask]:
    """Find the pixels (height, width) that each edited frame changes, by its position; see `edit_difference`."""
    pictures = sorted({0: edited_first_frame, **references}.items())
    return {anchor: edit_difference(source_video[anchor], picture, threshold) for anchor, picture in pictures}


def _draw(paths: Sequence[RegionPath], shape: tuple[int, ...], settings: MaskSettings) -> Mask:
    frames, height, width = shape
    if settings.shape == "whole_frame":
        return np.ones((frames, height, width), np.bool_)
    if settings.shape in ("tight", "noisy"):
        return {"tight": draw_tight, "noisy": draw_noisy}[settings.shape](paths, (frames, height, width))
    margin = Margin(settings.margin, scaled(settings.min_margin, height, width))
    object_margin = Margin(settings.object_margin, scaled(settings.object_min_margin, height, width))
    size = (frames, height, width)
    return draw_loose(paths, size, margin, object_margin, settings.frame_stride, settings.smoothing)


def _shares_held(
    paths: Sequence[RegionPath], differences: Mapping[int, Mask], shape: tuple[int, ...], settings: MaskSettings
) -> list[dict[str, float]]:
    """Say of each edited frame what share of its change is held by the mask carried there from the other ones."""
    held = []
    for anchor, difference in differences.items():
        others = [path for path in paths if path.anchor != anchor]
        if others and difference.any():
            carried = _draw(others, shape, settings)[anchor]
            held.append({"frame": anchor, "share": round(float(carried[difference].mean()), 4)})
    return held


def _main_method(paths: Sequence[RegionPath]) -> str:
    sizes = {method: sum(int(path.region.sum()) for path in paths if path.method == method) for method in TRUST}
    return max(sizes, key=lambda method: sizes[method])


def describe_user_mask(
    user_mask: Mask,
    source_video: DecodedVideo,
    edited_first_frame: Picture,
    references: Mapping[int, Picture],
    settings: MaskSettings,
) -> Facts:
    """State the facts of `describe_mask` for a mask (frames, height, width) that the user drew; it is used as is."""
    threshold = settings.difference_threshold
    differences = edit_differences(source_video, edited_first_frame, references, threshold)
    outside = change_outside(source_video[0], edited_first_frame, user_mask[0], threshold)
    return describe_mask("user", user_mask, differences, [], [], outside, min_confidence=settings.min_confidence)


def why_not(edit_mask: Mask, facts: Facts, hold: bool) -> Problem | None:
    """Say why an edit is not to be made with its mask; None: it is.

    Args:
        edit_mask: (frames, height, width).
        facts: of `describe_mask`.
        hold: whether a mask that a person should look at stops its edit.
    """
    if not edit_mask.any():
        found, expected = "no difference from source frame 0", "an edited frame, or masks with white in them"
        return Problem("first_frame", found, expected)
    if hold and facts["needs_a_look"]:
        found = f"a mask by {facts['method']} of confidence {facts['confidence']:.2f}, held back for a look at it"
        expected = "masks of your own (mask/00000.png ...), a lower mask.min_confidence, or mask.below_confidence: flag"
        return Problem("edit_mask", found, expected)
    return None


def union_masks(masks: Sequence[Mask]) -> Mask:
    """Return the union of masks (frames, height, width) of one clip's edits."""
    union: Mask = np.any(np.stack(list(masks)), axis=0)
    return union
