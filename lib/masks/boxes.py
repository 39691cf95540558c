"""Boxes of a region over the frames of a video: geometry, gaps and smoothing.

Boxes are (frames, 4) float: left, top, right, bottom in pixels, right and bottom exclusive; a row of NaN
where the region is absent.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lib.video.arrays import Mask

Boxes = NDArray[np.float64]

FollowRegion = Callable[[int, Mask], Boxes]
"""A prompted tracker: from an edited frame's index and a region (height, width) there to boxes (frames, 4)."""

LONGEST_GAP = 10  # frames that are filled by interpolation


def box_of(region: Mask) -> Boxes:
    """Return the box (4,) around the True pixels of a region (height, width) that has some."""
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float64)


def draw_box(box: Boxes, like: Mask) -> Mask:
    """Draw a box (4,) on a plane of the size of `like`; every pixel it touches is True."""
    height, width = like.shape
    plane = np.zeros((height, width), np.bool_)
    if not np.isnan(box[0]):
        left, top = np.floor(np.maximum(box[:2], 0)).astype(int)
        right, bottom = np.ceil(np.maximum(box[2:], 0)).astype(int)
        plane[top:bottom, left:right] = True
    return plane


def areas(boxes: Boxes) -> NDArray[np.float64]:
    """Return the areas of boxes (..., 4) in square pixels: (...)."""
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return np.asarray(sides[..., 0] * sides[..., 1], np.float64)


def overlap(first: Boxes, second: Boxes) -> float:
    """Return the intersection over union of two boxes (4,); 0 where one is absent."""
    corners = [np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])]
    shared = float(areas(np.concatenate(corners)))
    union = float(areas(first) + areas(second)) - shared
    return shared / union if union > 0 else 0.0


def carry_in_box(region_box: Boxes, boxes: Boxes, anchor: int) -> Boxes:
    """Carry a region along with an object, at the same place in the coordinates of the object's box.

    Args:
        region_box: (4,) in frame `anchor`; it may reach beyond the object's box.
        boxes: (frames, 4) of the object, present at `anchor`.

    Returns:
        (frames, 4).
    """
    origin, size = boxes[anchor, :2], np.maximum(boxes[anchor, 2:] - boxes[anchor, :2], 1)
    relative = (region_box.reshape(2, 2) - origin) / size
    carried = boxes[:, None, :2] + relative * (boxes[:, None, 2:] - boxes[:, None, :2])  # (frames, 2, 2)
    return np.asarray(carried.reshape(-1, 4), np.float64)


def interpolate(boxes: Boxes) -> Boxes:
    """Fill gaps of up to LONGEST_GAP frames between two boxes linearly; returns a copy (frames, 4)."""
    filled = boxes.copy()
    present = np.flatnonzero(~np.isnan(boxes[:, 0]))
    for before, after in zip(present[:-1], present[1:], strict=True):
        if after - before - 1 <= LONGEST_GAP:
            share = np.linspace(0, 1, after - before + 1)[:, None]
            filled[before : after + 1] = (1 - share) * boxes[before] + share * boxes[after]
    return filled


def smooth_path(boxes: Boxes, smoothing: int) -> Boxes:
    """Take the median over `smoothing` frames on each side, which drops jumps, then the widest over the same.

    The window shrinks towards both ends, so that the median there does not lag behind the motion.
    """
    calm, wide = boxes.copy(), boxes.copy()
    for taken, given, reduce in ((calm, boxes, np.median), (wide, calm, widest)):
        for index in range(len(boxes)):
            reach = min(smoothing, index, len(boxes) - 1 - index)
            window = given[index - reach : index + reach + 1]
            window = window[~np.isnan(window[:, 0])]
            if len(window) and not np.isnan(given[index, 0]):
                taken[index] = reduce(window, axis=0)
    return wide


def widest(boxes: Boxes, axis: int = 0) -> Boxes:
    """Return the box around all given boxes along an axis; absent ones do not count, unless all are."""
    low = np.where(np.isnan(boxes), np.inf, boxes).min(axis=axis)
    high = np.where(np.isnan(boxes), -np.inf, boxes).max(axis=axis)
    around = np.concatenate([low[..., :2], high[..., 2:]], axis=-1)
    return np.where(np.isinf(around), np.nan, around)
