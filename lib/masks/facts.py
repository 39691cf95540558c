"""What a person needs to know to trust a mask that nobody watched being made."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lib.masks.boxes import areas
from lib.masks.region_paths import ENOUGH, STEADY, RegionPath
from lib.video.arrays import Mask

Facts = dict[str, Any]


def describe_mask(
    method: str,
    edit_mask: Mask,
    differences: Mapping[int, Mask],
    paths: Sequence[RegionPath],
    held: list[dict[str, float]],
    outside: dict[str, float],
    cuts: Sequence[int] = (),
    min_confidence: float = 0.0,
) -> Facts:
    """Gather the facts of a mask, as JSON.

    Args:
        method: what most of the edit was followed by, see `lib.masks.region_paths.TRUST`; whole_frame for an edit of
            most of the frame, user for the user's own mask, none where nothing was edited.
        edit_mask: (frames, height, width).
        differences: (height, width) changed pixels of each edited frame.
        paths: of the regions; none for whole_frame, user and none.
        held: per edited frame, the share of its change that the mask carried there from the others holds.
        outside: see `lib.masks.differences.change_outside`.
        cuts: frames that begin a new shot.
        min_confidence: below it a person should look.

    Returns:
        confidence: 0..1, a product: the paths' own confidences, weighted by the size of their regions; coverage;
            mean share in references_held. 1 for a whole frame and for a user's mask that covers the change.
        needs_a_look: confidence is below min_confidence.
        coverage: share of the changed pixels inside the boxes of the chosen objects (or inside the mask, without
            objects).
        references_held: `held`.
        growth: the largest ratio of the areas of one region in two frames, at least 1.
        area_share: of the frame, per frame. gap_frames: frames with a box that was filled in.
        regions: frame, method, tracks, confidence and share of the frame of each region.
        outside, cuts: as given.
        warnings: sentences.
    """
    num_changed = sum(int(difference.sum()) for difference in differences.values())
    inside = sum(int((edit_mask[anchor] & difference).sum()) for anchor, difference in differences.items())
    covered = sum(path.covered for path in paths) if paths else inside
    coverage = covered / num_changed if num_changed else 1.0
    filled = np.any([path.filled for path in paths], axis=0) if paths else np.zeros(len(edit_mask), np.bool_)
    agreement = float(np.mean([one["share"] for one in held])) if held else 1.0
    confidence = _mean_confidence(paths) * coverage * agreement if method != "none" else 0.0
    facts: Facts = {
        "method": method,
        "confidence": round(confidence, 3),
        "needs_a_look": confidence < min_confidence,
        "coverage": round(coverage, 4),
        "references_held": held,
        "growth": round(max((_growth(path) for path in paths), default=1.0), 2),
        "area_share": [round(float(plane.mean()), 4) for plane in edit_mask],
        "gap_frames": int(filled.sum()),
        "regions": [
            {
                "frame": path.anchor,
                "method": path.method,
                "tracks": path.tracks,
                "confidence": round(path.confidence, 3),
                "area_share": round(float(path.region.mean()), 4),
            }
            for path in paths
        ],
        "outside": {name: round(value, 4) for name, value in outside.items()},
        "cuts": list(cuts),
    }
    return {**facts, "warnings": _warnings(facts)}


def _mean_confidence(paths: Sequence[RegionPath]) -> float:
    if not paths:
        return 1.0
    sizes = [int(path.region.sum()) for path in paths]
    return float(np.average([path.confidence for path in paths], weights=sizes))


def _growth(path: RegionPath) -> float:
    sizes = areas(path.boxes[~np.isnan(path.boxes[:, 0])])
    return float(sizes.max() / max(1.0, sizes.min()))


METHOD_WARNINGS = {
    "none": "No edited frame differs from its source frame.",
    "whole_frame": "Most of the frame was edited, so the whole frame is masked.",
    "optical_flow": "No detected object holds the edit; it was followed by optical flow. Check the overlay.",
    "static_box": "The edit could not be followed, so one box holds all of its way. Check the overlay.",
}


def _warnings(facts: Facts) -> list[str]:
    """Write a sentence for each thing about a mask that a person should look at."""
    num_frames, outside, warnings = len(facts["area_share"]), facts["outside"], []
    method = facts["method"]
    if method == "whole_frame" and facts["regions"]:
        warnings.append("The edit could not be followed, so the whole frame is masked.")
    elif method in METHOD_WARNINGS:
        warnings.append(METHOD_WARNINGS[method])
    if facts["needs_a_look"] and method != "none":
        warnings.append(f"Confidence {facts['confidence']:.2f} is below mask.min_confidence: check the overlay.")
    if method == "optical_flow" and facts["growth"] > STEADY:
        warnings.append(f"The region grew or shrank {facts['growth']:.1f}-fold: optical flow may have lost it.")
    for cut in facts["cuts"]:
        warnings.append(
            f"A new shot begins at frame {cut}: nothing is followed across the cut, and a shot without an edited frame "
            "stays as it is."
        )
    if facts["gap_frames"]:
        warnings.append(f"The region was lost in {facts['gap_frames']} of {num_frames} frames and filled in there.")
    if facts["coverage"] < ENOUGH:
        where = "the given mask" if method == "user" else "the boxes of the objects that were found"
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
            f"{outside['changed_share']:.0%} of those pixels): its colours, size or alignment are not the source's. "
            "mask.correct_edited matches their colours, or takes the source's pixels there."
        )
    return warnings
