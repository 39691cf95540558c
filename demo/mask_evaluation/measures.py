"""How well a mask holds what an edit changes: pure functions. Masks and regions are (frames, height, width) bool."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from demo.mask_evaluation.cases import Region
from lib.masks.boxes import box_of, draw_box, widest

LEAST_REGION = 12  # pixels; a smaller region says little about a mask
ENOUGH = 0.95  # recall of a frame in which a mask does its work


def recall_by_frame(mask: Region, region: Region) -> NDArray[np.float64]:
    """Return the share of the region inside the mask, (frames,); NaN where it has under LEAST_REGION pixels."""
    assert mask.shape == region.shape, (mask.shape, region.shape)
    sizes = region.sum(axis=(1, 2))
    held = (mask & region).sum(axis=(1, 2))
    return np.where(sizes >= LEAST_REGION, held / np.maximum(sizes, 1), np.nan)


def true_loose_mask(parts: Sequence[Region], margin: float, min_margin: int, frame_stride: int) -> Region:
    """Draw the mask that one who knew the truth would draw.

    It has the margins and the latent frames of lib.masks.shapes.draw_loose, not its smoothing, which is there for boxes
    that are not quite true.

    Args:
        parts: what the edit of each figure changes.
        margin: added on each side, share of a box's width and height.
        min_margin: least margin, pixels.
        frame_stride: frames that share a latent frame, after frame 0, which has its own.
    """
    loose = np.zeros_like(parts[0])
    for part in parts:
        boxes = np.array([box_of(plane) if plane.any() else [np.nan] * 4 for plane in part])
        grown = np.maximum((boxes[:, 2:] - boxes[:, :2]) * margin, min_margin)
        boxes = np.concatenate([boxes[:, :2] - grown, boxes[:, 2:] + grown], axis=1)
        for start in (0, *range(1, len(part), frame_stride)):
            group = slice(start, start + (frame_stride if start else 1))
            loose[group] |= draw_box(widest(boxes[group]), part[0])
    return loose


def area_after_cut(mask: Region, cut: int, frame_stride: int) -> float:
    """Return the mean masked share of the latent frames wholly after a cut; one that straddles it must be masked."""
    first = next(start for start in range(1, len(mask), frame_stride) if start >= cut)
    return float(mask[first:].mean())


def measure_mask(
    mask: Region, parts: Sequence[Region], cut: int | None, *, margin: float, min_margin: int, frame_stride: int
) -> dict[str, float]:
    """Measure a mask against the truth.

    Args:
        mask: to measure.
        parts: what the edit of each figure changes.
        cut: first frame of another scene, or None.
        margin, min_margin, frame_stride: see `true_loose_mask`.

    Returns:
        mean_recall; lowest_recall, and lowest_frame, which has it; the number of frames that count; mask_area, a
        share of the frame; area_ratio, over the true loose mask's area; area_after_cut, NaN without a cut.
    """
    recalls = recall_by_frame(mask, np.any(parts, axis=0))
    loose = true_loose_mask(parts, margin, min_margin, frame_stride)
    return {
        "mean_recall": float(np.nanmean(recalls)),
        "lowest_recall": float(np.nanmin(recalls)),
        "lowest_frame": int(np.nanargmin(recalls)),
        "num_counted": int((~np.isnan(recalls)).sum()),
        "mask_area": float(mask.mean()),
        "area_ratio": float(mask.sum() / loose.sum()),
        "area_after_cut": np.nan if cut is None else area_after_cut(mask, cut, frame_stride),
    }
