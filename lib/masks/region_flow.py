"""Follow a region through a video by optical flow, point by point: needs no weights and no detector."""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lib.masks.boxes import Boxes, box_of
from lib.masks.differences import scaled
from lib.video.arrays import DecodedVideo, Mask, Picture
from lib.video.flow import Flow, flow_between
from lib.video.flow_file import rounded

FLOW_SIDE = 416  # pixels; the longer side at which regions are followed
RIM = 4  # pixels at 480p by which a difference reaches beyond what was edited
LOST_SHARE = 0.1  # of a region's points; with fewer in the frame it counts as lost
MOST_POINTS = 1500  # by which a region is followed; remap takes up to 32767
COLOUR_BLUR = 2.0  # pixels at FLOW_SIDE, deviation
SAME_COLOUR = 22.0  # CIE Lab distance up to which a point is itself
ADAPTION = 0.05  # share by which a believed point's colour follows slow changes of light
ROUND_TRIP = 0.01  # of the longer side, by which the flow there and back may miss
LEAST_BELIEVED = 0.15  # of a region's points; with fewer it is not seen


class RegionFlows(NamedTuple):
    """The motion of a clip, at FLOW_SIDE.

    Attributes:
        backward: from each frame but the first to the one before it.
        forward: from each frame but the last to the one after it.
        colours: of each frame, lightly blurred, (height, width, 3) CIE Lab.
    """

    backward: list[Flow]
    forward: list[Flow]
    colours: list[NDArray[np.float32]]


class PairFlows(NamedTuple):
    """The optical flow between neighbouring frames, at FLOW_SIDE.

    Attributes:
        backward: (frames - 1, height, width, 2), from each frame but the first to the one before it.
        forward: (frames - 1, height, width, 2), from each frame but the last to the one after it.
    """

    backward: Flow
    forward: Flow


def measure_flows(video: DecodedVideo) -> PairFlows:
    """Measure the flow between the frames of a video (frames, height, width, 3)."""
    small = _resize(video)
    height, width, _ = small[0].shape
    pairs = list(zip(small[:-1], small[1:], strict=True))
    none = np.zeros((0, height, width, 2), np.float32)
    if not pairs:
        return PairFlows(backward=none, forward=none)
    return PairFlows(
        backward=rounded(np.stack([flow_between(after, before) for before, after in pairs])),
        forward=rounded(np.stack([flow_between(*pair) for pair in pairs])),
    )


def region_flows(video: DecodedVideo, flows: PairFlows | None = None) -> RegionFlows:
    """Return what regions of a video (frames, height, width, 3) are followed by.

    Args:
        flows: of `measure_flows`, where it was asked before.
    """
    measured = flows or measure_flows(video)
    colours = [_soft_colours(picture) for picture in _resize(video)]
    return RegionFlows(list(measured.backward), list(measured.forward), colours)


def _resize(video: DecodedVideo) -> list[Picture]:
    """Bring frames to FLOW_SIDE; small ones are enlarged, since an object must be larger than the flow's patches."""
    _, height, width, _ = video.shape
    scale = FLOW_SIDE / max(height, width)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return [
        cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=method) for picture in video
    ]


def follow_by_flow(region: Mask, anchor: int, flows: RegionFlows, believe_all: bool = False) -> Boxes:
    """Follow a region (height, width) of frame `anchor` through the whole video, point by point.

    A point is believed while the flow there and back agree and its colour stays; what hides the region, and what it
    uncovers, thereby drop out. The others are carried by the shift, turn and zoom that the believed ones share, and
    are believed again where their colour is found again.

    The region's box moves and stretches with the 2nd and 98th percentile of its points. Not with the
    outermost: those beside the object's edge take part in the ground's motion too, stay behind, and would
    stretch the box over all of the object's way.

    Args:
        region: with True pixels.
        flows: of `region_flows`.
        believe_all: every point; of what was lost from sight, the motion where it was is all there is.

    Returns:
        (frames, 4); NaN where too few points are believed, or less than LOST_SHARE of them are inside the frame.
    """
    height, width = region.shape
    start = _points_inside(region)
    boxes = np.full((len(flows.colours), 4), np.nan)
    boxes[anchor] = box_of(region)
    relative = (boxes[anchor] - _spread(start)) / np.tile(np.maximum(_size(_spread(start)), 1), 2)
    later = [(index, flows.forward[index - 1], flows.backward[index - 1]) for index in range(anchor + 1, len(boxes))]
    earlier = [(index, flows.backward[index], flows.forward[index]) for index in range(anchor - 1, -1, -1)]
    for steps in (later, earlier):
        points, colours = start, _read(flows.colours[anchor], start, height, width)
        believed, motion = np.ones(len(start), np.bool_), np.eye(2, 3)
        for index, there, back in steps:
            flowed = points + _read_flow(there, points, height, width)
            if not believe_all:
                returned = flowed + _read_flow(back, flowed, height, width)
                steady = np.linalg.norm(returned - points, axis=1) <= ROUND_TRIP * max(height, width)
                shared = _shared_motion(points[believed & steady], flowed[believed & steady], len(points))
                motion = motion if shared is None else shared
                carried = (points @ motion[:, :2].T + motion[:, 2]).astype(np.float32)
                flowed = np.where((believed & steady)[:, None], flowed, carried)
            points = flowed
            inside = (points >= 0).all(axis=1) & (points < [width, height]).all(axis=1)
            if inside.mean() < LOST_SHARE:
                break
            if not believe_all:
                found = _read(flows.colours[index], points, height, width)
                believed = inside & (np.linalg.norm(found - colours, axis=1) <= SAME_COLOUR)
                colours[believed] += ADAPTION * (found - colours)[believed]
            if believe_all or believed.sum() >= LEAST_BELIEVED * inside.sum():
                boxes[index] = _spread(points) + relative * np.tile(_size(_spread(points)), 2)
    return boxes


def _soft_colours(picture: Picture) -> NDArray[np.float32]:
    blurred = cv2.GaussianBlur(picture.astype(np.float32) / 255, (0, 0), COLOUR_BLUR)
    colours: NDArray[np.float32] = cv2.cvtColor(blurred, cv2.COLOR_RGB2LAB)
    return colours


def _shared_motion(before: NDArray[Any], after: NDArray[Any], num_points: int) -> NDArray[np.float64] | None:
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


def _read_flow(flow: Flow, points: NDArray[Any], height: int, width: int) -> NDArray[np.float32]:
    """Read a small flow at points (points, 2) of the full frame; returns full-frame pixels (points, 2)."""
    small_height, small_width, _ = flow.shape
    scale = np.array([width / small_width, height / small_height], np.float32)
    return _read(flow, points, height, width) * scale


def _read(small: NDArray[np.float32], points: NDArray[Any], height: int, width: int) -> NDArray[np.float32]:
    """Read a small picture (h, w, channels) at points (points, 2) of the full frame: (points, channels)."""
    small_height, small_width, _ = small.shape
    scale = np.array([width / small_width, height / small_height], np.float32)
    columns, rows = (points / scale - 0.5).astype(np.float32).T
    read = cv2.remap(small, columns[None], rows[None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    values: NDArray[np.float32] = read[0]
    return values


def _spread(points: NDArray[Any]) -> Boxes:
    """Return the box (4,) between the 2nd and the 98th percentile of points (points, 2)."""
    return np.asarray(np.percentile(points, [2, 98], axis=0).reshape(4), np.float64)


def _size(box: Boxes) -> Boxes:
    """Return width and height of a box (4,)."""
    size: Boxes = box[2:] - box[:2]
    return size
