"""Follow a region through a video by optical flow, point by point: needs no weights and no detector."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lib.boxes import Boxes, box_of
from lib.edit_difference import Mask, scaled
from lib.optical_flow import Flow, flow_between
from lib.video_io import DecodedVideo

FLOW_SIDE = 416  # pixels; the longer side at which regions are followed
RIM = 4  # pixels at 480p by which a difference reaches beyond what was edited
LOST_SHARE = 0.1  # of a region's points; with fewer in the frame it counts as lost
MOST_POINTS = 3000  # by which a region is followed

RegionFlows = tuple[list[Flow], list[Flow]]


def region_flows(video: DecodedVideo) -> RegionFlows:
    """Return the flows to the previous and to the next frame, each frames - 1 long, at FLOW_SIDE.

    Small frames are enlarged: the flow's patches have a fixed size, and an object must be larger than they are.
    """
    _, height, width, _ = video.shape
    scale = FLOW_SIDE / max(height, width)
    size = (round(width * scale), round(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = [cv2.resize(picture, size, interpolation=method) for picture in video]
    pairs = list(zip(small[:-1], small[1:], strict=True))
    return [flow_between(after, before) for before, after in pairs], [flow_between(*pair) for pair in pairs]


def follow_by_flow(region: Mask, anchor: int, flows: RegionFlows) -> Boxes:
    """Follow a region (height, width) of frame `anchor` through the whole video, point by point.

    The region's box moves and stretches with the 2nd and 98th percentile of its points. Not with the
    outermost: those beside the object's edge take part in the ground's motion too, stay behind, and would
    stretch the box over all of the object's way.

    Args:
        region: with True pixels.
        flows: of `region_flows`.

    Returns:
        (frames, 4); NaN where less than LOST_SHARE of the points are inside the frame.
    """
    height, width = region.shape
    start = _points_inside(region)
    boxes = np.full((len(flows[0]) + 1, 4), np.nan)
    boxes[anchor] = box_of(region)
    relative = (boxes[anchor] - _spread(start)) / np.tile(np.maximum(_size(_spread(start)), 1), 2)
    later = [(index, flows[1][index - 1]) for index in range(anchor + 1, len(boxes))]
    earlier = [(index, flows[0][index]) for index in range(anchor - 1, -1, -1)]
    for steps in (later, earlier):
        points = start
        for index, flow in steps:
            points = points + _read_at(flow, points, height, width)
            inside = (points >= 0).all(axis=1) & (points < [width, height]).all(axis=1)
            if inside.mean() < LOST_SHARE:
                break
            boxes[index] = _spread(points) + relative * np.tile(_size(_spread(points)), 2)
    return boxes


def _points_inside(region: Mask) -> NDArray[np.float32]:
    """Return up to about MOST_POINTS points (points, 2) of a region, x first, in pixels, without its blurred rim."""
    height, width = region.shape
    rim = max(2, scaled(RIM, height, width))
    core = cv2.erode(region.astype(np.uint8), np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)) > 0
    kept = core if core.sum() >= 0.25 * region.sum() else region  # of a thin region nothing would be left
    points = np.argwhere(kept)[:, ::-1].astype(np.float32) + 0.5
    return points[:: max(1, len(points) // MOST_POINTS)]


def _read_at(flow: Flow, points: NDArray[Any], height: int, width: int) -> NDArray[np.float32]:
    """Read a small flow at points (points, 2) of the full frame; returns full-frame pixels (points, 2)."""
    small_height, small_width, _ = flow.shape
    scale = np.array([width / small_width, height / small_height], np.float32)
    columns, rows = (points / scale - 0.5).astype(np.float32).T
    read = cv2.remap(flow, columns[None], rows[None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    motion: NDArray[np.float32] = read[0] * scale
    return motion


def _spread(points: NDArray[Any]) -> Boxes:
    """Return the box (4,) between the 2nd and the 98th percentile of points (points, 2)."""
    return np.asarray(np.percentile(points, [2, 98], axis=0).reshape(4), np.float64)


def _size(box: Boxes) -> Boxes:
    """Return width and height of a box (4,)."""
    size: Boxes = box[2:] - box[:2]
    return size
