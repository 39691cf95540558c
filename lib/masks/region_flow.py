"""Follow a region through a video by optical flow, point by point: needs no weights and no detector."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lib.masks.boxes import Boxes, box_of
from lib.masks.clip_motion import RegionFlows
from lib.masks.differences import scaled
from lib.video.arrays import Mask
from lib.video.flow import Flow

RIM = 4  # pixels at 480p by which a difference reaches beyond what was edited
LOST_SHARE = 0.1  # of a region's points; with fewer in the frame it counts as lost
MOST_POINTS = 1500  # by which a region is followed; remap takes up to 32767
SAME_COLOUR = 22.0  # CIE Lab distance up to which a point is itself
ADAPTION = 0.05  # share by which a believed point's colour follows slow changes of light
ROUND_TRIP = 0.01  # of the longer side, by which the flow there and back may miss
LEAST_BELIEVED = 0.15  # of a region's points; with fewer it is not seen


@dataclass(frozen=True)
class _Step:
    """From a frame to the next one on the way: which it reaches, what that looks like, and the motion in between.

    Attributes:
        frame: that is reached.
        colours: of that frame; see `RegionFlows`.
        there: flow to it.
        back: flow from it.
    """

    frame: int
    colours: NDArray[np.float32]
    there: Flow
    back: Flow


@dataclass(frozen=True)
class _Points:
    """The points by which a region is followed, in one frame.

    Attributes:
        places: (points, 2) in pixels, x first.
        colours: (points, 3) CIE Lab that each is expected to have.
        believed: (points,), True where the frame shows that colour there.
        motion: (2, 3) shift, turn and zoom that the believed ones shared last.
    """

    places: NDArray[np.float32]
    colours: NDArray[np.float32]
    believed: NDArray[np.bool_]
    motion: NDArray[np.float64]


def follow_by_flow(region: Mask, anchor: int, flows: RegionFlows) -> Boxes:
    """Follow a region (height, width) of frame `anchor` through the whole video, point by point.

    A point is believed while the flow there and back agree and its colour stays; what hides the region, and what it
    uncovers, thereby drop out. The others are carried by the shift, turn and zoom that the believed ones share, and
    are believed again where their colour is found again.

    Args:
        region: with True pixels.
        flows: of `lib.masks.clip_motion.region_flows`.

    Returns:
        (frames, 4); NaN where too few points are believed, or less than LOST_SHARE of them are inside the frame.
    """
    start = _points_inside(region)
    boxes = _only_at(anchor, box_of(region), len(flows.colours))
    for steps in _ways_from(anchor, flows):
        colours = _read(flows.colours[anchor], start, region.shape)
        points = _Points(start, colours, np.ones(len(start), np.bool_), np.eye(2, 3))
        for step in steps:
            points = _follow(points, step, region.shape)
            inside = _inside(points.places, region.shape)
            if inside.mean() < LOST_SHARE:
                break
            if points.believed.sum() >= LEAST_BELIEVED * inside.sum():
                boxes[step.frame] = _carry_box(boxes[anchor], start, points.places)
    return boxes


def drift_by_flow(region: Mask, anchor: int, flows: RegionFlows) -> Boxes:
    """Let a region drift with all motion where it is; of what was lost from sight that is all there is.

    Args, returns: as of `follow_by_flow`; NaN only where too few points are inside the frame.
    """
    start = _points_inside(region)
    boxes = _only_at(anchor, box_of(region), len(flows.colours))
    for steps in _ways_from(anchor, flows):
        places = start
        for step in steps:
            places = places + _read_flow(step.there, places, region.shape)
            if _inside(places, region.shape).mean() < LOST_SHARE:
                break
            boxes[step.frame] = _carry_box(boxes[anchor], start, places)
    return boxes


def _ways_from(anchor: int, flows: RegionFlows) -> tuple[list[_Step], list[_Step]]:
    """Return the steps from a frame to the end of the video, and those back to its beginning."""
    backward, forward, colours = flows
    later, earlier = range(anchor + 1, len(colours)), range(anchor - 1, -1, -1)
    return (
        [_Step(frame, colours[frame], there=forward[frame - 1], back=backward[frame - 1]) for frame in later],
        [_Step(frame, colours[frame], there=backward[frame], back=forward[frame]) for frame in earlier],
    )


def _follow(points: _Points, step: _Step, size: tuple[int, int]) -> _Points:
    """Take every point one frame on: those that can be trusted by the flow, the others along with them."""
    flowed, agrees = _flow_there_and_back(points.places, step, size)
    trusted = points.believed & agrees
    motion = _shared_motion(points.places[trusted], flowed[trusted], len(flowed))
    motion = points.motion if motion is None else motion
    carried = (points.places @ motion[:, :2].T + motion[:, 2]).astype(np.float32)
    places = np.where(trusted[:, None], flowed, carried)
    colours, believed = _compare_colours(points.colours, places, step, size)
    return _Points(places, colours, believed, motion)


def _flow_there_and_back(
    places: NDArray[np.float32], step: _Step, size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return where the flow takes points (points, 2), and for which the flow back leads home again (points,)."""
    flowed = places + _read_flow(step.there, places, size)
    returned = flowed + _read_flow(step.back, flowed, size)
    return flowed, np.linalg.norm(returned - places, axis=1) <= ROUND_TRIP * max(size)


def _compare_colours(
    expected: NDArray[np.float32], places: NDArray[np.float32], step: _Step, size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the colours (points, 3) to expect from now on, and which points (points,) have theirs in this frame."""
    found = _read(step.colours, places, size)
    believed = _inside(places, size) & (np.linalg.norm(found - expected, axis=1) <= SAME_COLOUR)
    adapted = np.where(believed[:, None], expected + ADAPTION * (found - expected), expected)
    return adapted, believed


def _carry_box(box: Boxes, before: NDArray[np.float32], after: NDArray[np.float32]) -> Boxes:
    """Move and stretch a box (4,) as points (points, 2) in it have moved and spread.

    By their 2nd and 98th percentile, not by the outermost: those beside the object's edge take part in the ground's
    motion too, stay behind, and would stretch the box over all of the object's way.
    """
    was, is_now = _spread(before), _spread(after)
    relative = (box - was) / np.tile(np.maximum(_size(was), 1), 2)
    carried: Boxes = is_now + relative * np.tile(_size(is_now), 2)
    return carried


def _only_at(frame: int, box: Boxes, num_frames: int) -> Boxes:
    """Return boxes (frames, 4), NaN in all frames but one."""
    boxes = np.full((num_frames, 4), np.nan)
    boxes[frame] = box
    return boxes


def _inside(places: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Tell which points (points, 2) lie inside a frame of this height and width."""
    height, width = size
    return np.asarray(((places >= 0) & (places < [width, height])).all(axis=1), np.bool_)


def _shared_motion(
    before: NDArray[np.float32], after: NDArray[np.float32], num_points: int
) -> NDArray[np.float64] | None:
    """Return the shift, turn and zoom (2, 3) that most points share; None where there are too few of them."""
    if len(before) < max(4, LEAST_BELIEVED * num_points):
        return None
    matrix, _ = cv2.estimateAffinePartial2D(before, after, ransacReprojThreshold=2.0)
    return None if matrix is None else np.asarray(matrix, np.float64)


def _points_inside(region: Mask) -> NDArray[np.float32]:
    """Return up to about MOST_POINTS points (points, 2) of a region, x first, in pixels, without its blurred rim."""
    height, width = region.shape
    rim = max(2, scaled(RIM, height, width))
    core = cv2.erode(region.astype(np.uint8), np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)) > 0
    kept = core if core.sum() >= 0.25 * region.sum() else region  # of a thin region nothing would be left
    points = np.argwhere(kept)[:, ::-1].astype(np.float32) + 0.5
    return points[:: max(1, len(points) // MOST_POINTS)]


def _read_flow(flow: Flow, places: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Read a small flow at points (points, 2) of the full frame; returns full-frame pixels (points, 2)."""
    return _read(flow, places, size) * _scale(flow, size)


def _read(small: NDArray[np.float32], places: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Read a small picture (h, w, channels) at points (points, 2) of the full frame: (points, channels)."""
    columns, rows = (places / _scale(small, size) - 0.5).astype(np.float32).T
    read = cv2.remap(small, columns[None], rows[None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    values: NDArray[np.float32] = read[0]
    return values


def _scale(small: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return how much larger the full frame, of this height and width, is than a small picture: (2,), x first."""
    height, width = size
    small_height, small_width, _ = small.shape
    return np.array([width / small_width, height / small_height], np.float32)


def _spread(points: NDArray[Any]) -> Boxes:
    """Return the box (4,) between the 2nd and the 98th percentile of points (points, 2)."""
    return np.asarray(np.percentile(points, [2, 98], axis=0).reshape(4), np.float64)


def _size(box: Boxes) -> Boxes:
    """Return width and height of a box (4,)."""
    size: Boxes = box[2:] - box[:2]
    return size
