"""Where a followed region lies in the frames in which it was not seen."""

import numpy as np
from numpy.typing import NDArray

from lib.masks.boxes import Boxes, areas, draw_box, interpolate
from lib.masks.clip_motion import RegionFlows
from lib.masks.region_flow import drift_by_flow

NEAR_BORDER = 0.02  # of the frame's width or height
STEPS = 3  # frames over which an object's speed is measured
LEAST_LEFT = 0.02  # of its usual area; an object of which less is in the picture has left it


def fill_gaps(boxes: Boxes, flows: RegionFlows, height: int, width: int) -> tuple[Boxes, NDArray[np.bool_]]:
    """Fill frames without a box, but for those in which the region is out of the picture.

    Short gaps are interpolated. Before and after longer ones, what was going out of the picture goes on at its speed
    until it is out; anything else is followed by optical flow from where it was last seen.

    Args:
        boxes: (frames, 4), NaN where not seen; one box at least.
        flows: of `lib.masks.clip_motion.region_flows`.
        height, width: of the frame.

    Returns:
        The filled boxes, and which frames were filled (frames,).
    """
    filled = interpolate(boxes)
    seen = np.flatnonzero(~np.isnan(filled[:, 0]))
    assert len(seen), "a region is seen in the frame that it comes from"
    edges = [-1, *seen.tolist(), len(boxes)]
    for before, after in zip(edges[:-1], edges[1:], strict=True):
        gap = np.arange(before + 1, after)
        if not len(gap):
            continue
        if before >= 0:
            reach = gap if after == len(boxes) else gap[: (len(gap) + 1) // 2]
            filled[reach] = _continue(boxes, before, reach, flows, height, width)
        if after < len(boxes):
            reach = gap if before < 0 else gap[(len(gap) + 1) // 2 :]
            filled[reach] = _continue(boxes, after, reach[::-1], flows, height, width)[::-1]
    return filled, np.isnan(boxes[:, 0]) & ~np.isnan(filled[:, 0])


def _continue(boxes: Boxes, last: int, frames: NDArray[np.int64], flows: RegionFlows, height: int, width: int) -> Boxes:
    """Continue a path from its sighting in frame `last` through the frames next to it, nearest first."""
    speed = _speed(boxes, last, 1 if frames[0] > last else -1)
    if _is_leaving(boxes[last], speed, height, width):
        return _leave(boxes[last], speed, np.abs(frames - last), height, width)
    region = draw_box(boxes[last], np.zeros((height, width), np.bool_))
    if not region.any():
        return np.full((len(frames), 4), np.nan)
    return _hold(drift_by_flow(region, last, flows)[frames], boxes[last])


def _leave(box: Boxes, speed: Boxes, steps: NDArray[np.int64], height: int, width: int) -> Boxes:
    """Let a box (4,) go on at its speed (4,), so many frames; NaN from where it is out of the picture."""
    ahead = box + steps[:, None] * speed
    inside = np.clip(ahead, 0, [width, height, width, height])
    is_in = (areas(inside) > LEAST_LEFT * areas(box)) & (ahead[:, 2:] > ahead[:, :2]).all(axis=1)
    inside[~np.logical_and.accumulate(is_in)] = np.nan
    return np.asarray(inside, np.float64)


def _speed(boxes: Boxes, last: int, direction: int) -> Boxes:
    """Return how each edge (4,) moved in a frame, on the way to `last` from the other side."""
    earlier = [last - direction * step for step in range(STEPS, 0, -1)]
    known = [index for index in earlier if 0 <= index < len(boxes) and not np.isnan(boxes[index, 0])]
    if not known:
        return np.zeros(4)
    return np.asarray((boxes[last] - boxes[known[0]]) / abs(last - known[0]), np.float64)


def _is_leaving(box: Boxes, speed: Boxes, height: int, width: int) -> bool:
    """Tell whether a box is at the border, and its far edge on the way there."""
    limits = np.array([NEAR_BORDER * width, NEAR_BORDER * height, NEAR_BORDER * width, NEAR_BORDER * height])
    distances = np.array([box[0], box[1], width - box[2], height - box[3]])
    outwards = np.array([-speed[2], -speed[3], speed[0], speed[1]])  # of the edge across
    sizes = np.array([box[2] - box[0], box[3] - box[1]] * 2)
    return bool(((distances <= limits + outwards) & (outwards > 0.02 * sizes)).any())


def _hold(boxes: Boxes, first: Boxes) -> Boxes:
    """Give each frame that has no box the last one before it."""
    held = boxes.copy()
    for index in range(len(held)):
        if np.isnan(held[index, 0]):
            held[index] = held[index - 1] if index else first
    return held
