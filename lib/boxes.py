"""Boxes of a region over the frames of a video: geometry, gaps and smoothing.

Boxes are (frames, 4) float: left, top, right, bottom in pixels, right and bottom exclusive; a row of NaN
where the region is absent.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lib.edit_difference import Mask

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


def fill_gaps(boxes: Boxes, spare: Boxes, height: int, width: int) -> tuple[Boxes, NDArray[np.bool_]]:
    """Fill frames without a box, but for those in which the region has left the frame.

    Gaps of up to LONGEST_GAP frames are interpolated; the rest comes from `spare`, and what that lacks
    too from the nearest frame that has a box.

    Args:
        boxes, spare: (frames, 4), of which one has a box at least.

    Returns:
        The filled boxes, and which frames were filled (frames,).
    """
    filled = interpolate(boxes)
    absent = _left_frame(filled, height, width)
    for source in (spare, _nearest_boxes(np.where(np.isnan(filled), spare, filled))):
        use = np.isnan(filled[:, 0]) & ~absent
        filled[use] = source[use]
    return filled, np.isnan(boxes[:, 0]) & ~np.isnan(filled[:, 0])


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


def _left_frame(boxes: Boxes, height: int, width: int) -> NDArray[np.bool_]:
    """Tell in which frames an absent region is out of the picture: last or next seen cut off by the border.

    Cut off means at the border with under half of its usual area: an object that merely stands at
    the border is more likely missed than gone.
    """
    sizes = areas(np.clip(boxes, 0, [width, height, width, height]))
    usual = float(np.nanmedian(sizes)) if not np.isnan(sizes).all() else 0.0
    limits = np.array([0.02 * width, 0.02 * height, -0.98 * width, -0.98 * height])
    cut_off = (boxes * [1, 1, -1, -1] <= limits).any(axis=1) & (sizes < 0.5 * usual)
    gone = np.zeros(len(boxes), np.bool_)
    for order in (range(len(boxes)), range(len(boxes) - 1, -1, -1)):
        outside = False
        for index in order:
            outside = outside if np.isnan(boxes[index, 0]) else bool(cut_off[index])
            gone[index] |= outside and np.isnan(boxes[index, 0])
    return gone


def _nearest_boxes(boxes: Boxes) -> Boxes:
    """Give every frame the box of the nearest frame that has one."""
    present = np.flatnonzero(~np.isnan(boxes[:, 0]))
    assert len(present), "a region is seen in the frame that it comes from"
    nearest = np.abs(np.arange(len(boxes))[:, None] - present).argmin(axis=1)
    chosen: Boxes = boxes[present[nearest]]
    return chosen
