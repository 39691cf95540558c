"""From what an edit changed in a few frames to the region of every frame that may change.

Owns mask polarity. edit_mask: bool (frames, height, width), True = the region to edit. It is loose on purpose:
one rectangle per region and frame, since a new object needs room that the old one did not fill.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from lib.boxes import areas, box_of, draw_box, smooth_path, widest
from lib.edit_difference import Mask, Picture, change_outside, edit_difference, scaled
from lib.errors import InputError, Problem
from lib.region_paths import ENOUGH, RegionPath, follow_regions
from lib.video_io import DecodedVideo

if TYPE_CHECKING:
    from lib.detector import Track

TRUST = {"yolo_track": 0.95, "yolo_part": 0.85, "optical_flow": 0.7}
STEADY = 3.0  # growth or shrinkage of a region that optical flow can be believed
TINT = (255, 40, 40)  # RGB of the overlay

Facts = dict[str, Any]


def make_edit_mask(
    source_video: DecodedVideo,
    edited_first_frame: Picture,
    references: Mapping[int, Picture],
    tracks: Sequence["Track"],
    *,
    margin: float,
    min_margin: float,
    difference_threshold: float,
    global_share: float,
    frame_stride: int,
) -> tuple[Mask, Facts]:
    """Make the loose mask of an edit, and say how it came about.

    Args:
        source_video: (frames, height, width, 3) uint8 RGB.
        edited_first_frame: (height, width, 3) uint8 RGB, aligned with frame 0.
        references: further edited frames, by their position in `source_video`.
        tracks: of every object in `source_video`; may be empty.
        margin: added on each side, share of a box's width and height.
        min_margin: least margin, pixels at 480p.
        difference_threshold: CIE Lab delta E from which a pixel counts as edited.
        global_share: share of edited pixels in a frame from which the whole frame is masked.
        frame_stride: frames that share a latent frame, after frame 0, which has its own.

    Returns:
        edit_mask, all False where no edited frame differs from its source, and the facts of
        `describe_mask`.
    """
    frames, height, width, _ = source_video.shape
    anchors = dict(sorted({0: edited_first_frame, **references}.items()))
    differences = {
        anchor: edit_difference(source_video[anchor], picture, difference_threshold)
        for anchor, picture in anchors.items()
    }
    reach = scaled(min_margin, height, width)
    paths: list[RegionPath] = []
    edit_mask = np.ones((frames, height, width), np.bool_)
    if max(float(difference.mean()) for difference in differences.values()) < global_share:
        paths = follow_regions(source_video, differences, tracks, reach)
        edit_mask = draw_loose(paths, edit_mask.shape, margin, reach, frame_stride)
    held = []
    for anchor in differences:
        others = [path for path in paths if path.anchor != anchor]
        if others and differences[anchor].any():
            carried = draw_loose(others, edit_mask.shape, margin, reach, frame_stride)[anchor]
            held.append({"frame": anchor, "share": round(float(carried[differences[anchor]].mean()), 4)})
    outside = change_outside(source_video[0], edited_first_frame, edit_mask[0], difference_threshold)
    method = _main_method(paths) if paths else "whole_frame" if edit_mask.any() else "none"
    return edit_mask, describe_mask(method, edit_mask, differences, paths, held, outside)


def describe_user_mask(
    user_mask: Mask,
    source_video: DecodedVideo,
    edited_first_frame: Picture,
    references: Mapping[int, Picture],
    difference_threshold: float,
) -> Facts:
    """State the facts of `describe_mask` for a mask (frames, height, width) that the user drew; it is used as is."""
    differences = {
        anchor: edit_difference(source_video[anchor], picture, difference_threshold)
        for anchor, picture in {0: edited_first_frame, **references}.items()
    }
    outside = change_outside(source_video[0], edited_first_frame, user_mask[0], difference_threshold)
    return describe_mask("user", user_mask, differences, [], [], outside)


def draw_loose(
    paths: Sequence[RegionPath], shape: tuple[int, int, int], margin: float, min_margin: int, frame_stride: int
) -> Mask:
    """Draw the paths' boxes, smoothed, widened, and the same in frames that share a latent frame.

    Args:
        paths: of regions.
        shape: frames, height and width of the mask.
        margin: added on each side, share of the box's width and height.
        min_margin: least margin, pixels of this frame size.
        frame_stride: frames that share a latent frame, after frame 0.
    """
    frames, height, width = shape
    mask = np.zeros(shape, np.bool_)
    for path in paths:
        boxes = smooth_path(path.boxes)
        boxes[path.anchor] = widest(np.stack([boxes[path.anchor], box_of(path.region)]))
        grown = np.maximum((boxes[:, 2:] - boxes[:, :2]) * margin, min_margin)
        boxes = np.concatenate([boxes[:, :2] - grown, boxes[:, 2:] + grown], axis=1)
        for start in (0, *range(1, frames, frame_stride)):
            group = slice(start, start + (frame_stride if start else 1))
            mask[group] |= draw_box(widest(boxes[group]), path.region)
    return mask


def describe_mask(
    method: str,
    edit_mask: Mask,
    differences: Mapping[int, Mask],
    paths: Sequence[RegionPath],
    held: list[dict[str, float]],
    outside: dict[str, float],
) -> Facts:
    """Gather what a person needs to trust a mask, as JSON.

    Returns:
        method: yolo_track, yolo_part, optical_flow (what most of the edit was followed by), whole_frame,
            user, or none where nothing was edited.
        confidence: 0..1, a product: TRUST of the method, coverage, mean share in references_held,
            1 - half the share of frames that were filled in, and for optical flow STEADY / growth where
            that is below 1. 1 for a whole frame.
        growth: the largest ratio of the areas of one region in two frames, at least 1.
        coverage: share of the changed pixels inside the boxes of the chosen objects (or inside the mask,
            without objects).
        references_held: per edited frame, the share of its change that the boxes carried there from
            the other edited frames hold; empty with one edited frame.
        area_share: of the frame, per frame. gap_frames: frames with a box that was filled in.
        regions: frame, method, tracks and share of the frame of each region.
        outside: change in frame 0 outside the mask, see `change_outside`.
        warnings: sentences.
    """
    num_changed = sum(int(difference.sum()) for difference in differences.values())
    inside = sum(int((edit_mask[anchor] & difference).sum()) for anchor, difference in differences.items())
    covered = sum(path.covered for path in paths) if paths else inside
    coverage = covered / num_changed if num_changed else 1.0
    filled = np.any([path.filled for path in paths], axis=0) if paths else np.zeros(len(edit_mask), np.bool_)
    agreement = float(np.mean([one["share"] for one in held])) if held else 1.0
    growth = max((_growth(path) for path in paths), default=1.0)
    steadiness = min(1.0, STEADY / growth) if method == "optical_flow" else 1.0
    trust = TRUST.get(method, float(method != "none"))
    confidence = trust * coverage * agreement * (1 - float(filled.mean()) / 2) * steadiness
    facts: Facts = {
        "method": method,
        "confidence": round(confidence, 3),
        "coverage": round(coverage, 4),
        "references_held": held,
        "growth": round(growth, 2),
        "area_share": [round(float(plane.mean()), 4) for plane in edit_mask],
        "gap_frames": int(filled.sum()),
        "regions": [
            {
                "frame": path.anchor,
                "method": path.method,
                "tracks": path.tracks,
                "area_share": round(float(path.region.mean()), 4),
            }
            for path in paths
        ],
        "outside": {name: round(value, 4) for name, value in outside.items()},
    }
    return {**facts, "warnings": _warnings(facts)}


def refuse_empty(edit_mask: Mask, clip: str, edit: str) -> None:
    """Refuse a mask without a pixel: an edited frame that is the source's, or black masks.

    Raises:
        InputError: naming clip and edit.
    """
    if not edit_mask.any():
        found, expected = "no difference from source frame 0", "an edited frame, or masks with white in them"
        raise InputError([Problem("first_frame", found, expected, clip, edit)])


def union_masks(masks: Sequence[Mask]) -> Mask:
    """Return the union of masks (frames, height, width) of one clip's edits."""
    union: Mask = np.any(np.stack(list(masks)), axis=0)
    return union


def overlay(source_video: DecodedVideo, edit_mask: Mask) -> DecodedVideo:
    """Tint the region to edit and draw its contour, for people: (frames, height, width, 3) uint8."""
    frames, height, width, _ = source_video.shape
    assert edit_mask.shape == (frames, height, width)
    tint = np.array(TINT, np.float32)
    shown = source_video.copy()
    for picture, plane in zip(shown, edit_mask, strict=True):
        picture[plane] = (0.65 * picture[plane] + 0.35 * tint).astype(np.uint8)
        contours, _ = cv2.findContours(plane.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(picture, contours, -1, TINT, max(1, scaled(2, height, width)))
    return shown


def _growth(path: RegionPath) -> float:
    sizes = areas(path.boxes[~np.isnan(path.boxes[:, 0])])
    return float(sizes.max() / max(1.0, sizes.min()))


def _main_method(paths: Sequence[RegionPath]) -> str:
    sizes = {method: sum(int(path.region.sum()) for path in paths if path.method == method) for method in TRUST}
    return max(sizes, key=lambda method: sizes[method])


def _warnings(facts: Facts) -> list[str]:
    """Write a sentence for each thing about a mask that a person should look at."""
    num_frames, outside, warnings = len(facts["area_share"]), facts["outside"], []
    if facts["method"] == "none":
        warnings.append("No edited frame differs from its source frame.")
    if facts["method"] == "whole_frame":
        warnings.append("Most of the frame was edited, so the whole frame is masked.")
    if facts["method"] == "optical_flow":
        warnings.append("No detected object holds the edit; it was followed by optical flow. Check the overlay.")
    if facts["method"] == "optical_flow" and facts["growth"] > STEADY:
        warnings.append(f"The region grew or shrank {facts['growth']:.1f}-fold: optical flow may have lost it.")
    if facts["gap_frames"]:
        warnings.append(f"The region was lost in {facts['gap_frames']} of {num_frames} frames and filled in there.")
    if facts["coverage"] < ENOUGH:
        where = "the given mask" if facts["method"] == "user" else "the boxes of the objects that were found"
        warnings.append(f"Only {facts['coverage']:.0%} of the changed pixels lie inside {where}.")
    for reference in facts["references_held"]:
        if reference["share"] < ENOUGH:
            warnings.append(
                f"Frame {reference['frame']}: the region carried there from the other edited frames holds only "
                f"{reference['share']:.0%} of its change, so it may be off in frames without a reference too."
            )
    if outside["changed_share"] > 0.05 or outside["mean_delta_e"] > 3:
        warnings.append(
            f"The edited first frame also differs outside the mask (mean delta E {outside['mean_delta_e']:.1f}, "
            f"{outside['changed_share']:.0%} of those pixels): its colours, size or alignment are not the source's."
        )
    return warnings
