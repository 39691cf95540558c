"""Where the regions of an edited frame lie in the other frames: by an object's track, or by optical flow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lib.boxes import Boxes, areas, box_of, carry_in_box, draw_box, fill_gaps, interpolate, overlap, widest
from lib.edit_difference import Mask, scaled, split_regions
from lib.optical_flow import Flow, flow_between
from lib.video_io import DecodedVideo

if TYPE_CHECKING:
    from lib.detector import Track

ENOUGH = 0.8  # share of a region that its tracks must cover; the rest is followed by flow otherwise
TOUCHED = 0.1  # share of a region that a further track must add to be taken
NEAR = 0.05  # of a box's width and height, added on each side: detectors' boxes are tight, blurred edges are not
PART = 0.4  # region box over object box; below, the edit is of a part of the object
SAME_PLACE = 0.1  # intersection over union from which regions of two edited frames are the same one
FLOW_SIDE = 416  # pixels; the longer side at which regions are followed
RIM = 4  # pixels at 480p by which a difference reaches beyond what was edited
LOST_SHARE = 0.1  # of a region's points; with fewer in the frame it counts as lost
MOST_POINTS = 3000  # by which a region is followed

RegionFlows = tuple[list[Flow], list[Flow]]


@dataclass(frozen=True)
class RegionPath:
    """A region of one edited frame, and where it lies in every frame.

    Attributes:
        anchor: the frame in which the region was found.
        region: (height, width) there.
        method: what it was followed by, yolo_track, yolo_part or optical_flow.
        tracks: class and id of the object's track; empty for optical flow.
        covered: pixels of the region inside the track's box; all of them for optical flow.
        boxes: (frames, 4).
        filled: (frames,), True where neither track nor flow had a box of its own.
    """

    anchor: int
    region: Mask
    method: str
    tracks: list[dict[str, Any]]
    covered: int
    boxes: Boxes
    filled: NDArray[np.bool_]


def follow_regions(
    source_video: DecodedVideo, differences: Mapping[int, Mask], tracks: Sequence["Track"], reach: int
) -> list[RegionPath]:
    """Find where each region of each edited frame lies in every frame.

    Args:
        source_video: (frames, height, width, 3).
        differences: changed pixels (height, width) by frame.
        tracks: of the objects in `source_video`.
        reach: pixels; regions closer together than about twice this are one.
    """
    flows = region_flows(source_video)
    paths = []
    for anchor, difference in differences.items():
        for region in split_regions(difference, reach):
            chosen = choose_tracks(region, anchor, tracks)
            boxes = [_reach_of(track, anchor, region) for track in chosen]
            left = region & ~np.any([np.zeros_like(region), *boxes], axis=0)
            enough = left.sum() <= (1 - ENOUGH) * region.sum()
            counted = np.zeros_like(region)
            for number, (track, box) in enumerate(zip(chosen, boxes, strict=True)):
                piece = region & (box | left) if enough and number == 0 else region & box
                covered = int((region & box & ~counted).sum())
                paths.append(_path_by_track(piece, covered, anchor, track, flows))
                counted |= box
            if not enough:
                paths.append(_path_by_flow(left, anchor, flows))
    return _end_at_other_anchors(paths)


def choose_tracks(region: Mask, anchor: int, tracks: Sequence["Track"]) -> list["Track"]:
    """Choose the objects that a region belongs to: one where it covers ENOUGH of the region, else several.

    Each step takes the track with the highest sum of the share of the region that it adds and the
    intersection over union of their boxes; the latter keeps a table from standing in for a cup.
    """
    region_box, left = box_of(region), region.copy()
    boxes = [_reach_of(track, anchor, region) for track in tracks]
    fits = [overlap(region_box, interpolate(track.boxes)[anchor]) for track in tracks]
    chosen: list[Track] = []
    while left.sum() > (1 - ENOUGH) * region.sum():
        added = [float((left & box).sum() / region.sum()) for box in boxes]
        scores = [share + fit if share >= TOUCHED else 0 for share, fit in zip(added, fits, strict=True)]
        best = int(np.argmax([0, *scores])) - 1  # -1: no track adds enough
        if best < 0:
            break
        chosen.append(tracks[best])
        left &= ~boxes[best]
    return chosen


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


def _reach_of(track: "Track", anchor: int, like: Mask) -> Mask:
    """Draw a track's box in frame `anchor`, grown by NEAR, on a plane of the size of `like`."""
    box = interpolate(track.boxes)[anchor]
    grown = NEAR * (box[2:] - box[:2])
    return draw_box(np.concatenate([box[:2] - grown, box[2:] + grown]), like)


def _path_by_track(piece: Mask, covered: int, anchor: int, track: "Track", flows: RegionFlows) -> RegionPath:
    height, width = piece.shape
    objects = interpolate(track.boxes)
    carried = carry_in_box(box_of(piece), objects, anchor)
    is_part = float(areas(box_of(piece))) < PART * float(areas(objects[anchor]))
    given = carried if is_part else widest(np.stack([carried, objects]))
    boxes, _ = fill_gaps(given, follow_by_flow(piece, anchor, flows), height, width)
    filled = np.isnan(track.boxes[:, 0]) & ~np.isnan(boxes[:, 0])
    names = [{"class": track.class_name, "id": int(track.track_id)}]
    return RegionPath(anchor, piece, "yolo_part" if is_part else "yolo_track", names, covered, boxes, filled)


def _path_by_flow(region: Mask, anchor: int, flows: RegionFlows) -> RegionPath:
    height, width = region.shape
    followed = follow_by_flow(region, anchor, flows)
    boxes, filled = fill_gaps(followed, np.full_like(followed, np.nan), height, width)
    return RegionPath(anchor, region, "optical_flow", [], int(region.sum()), boxes, filled)


def _end_at_other_anchors(paths: list[RegionPath]) -> list[RegionPath]:
    """Let a path end at the next edited frame, on each side, that shows the same region: it knows better."""
    ended = []
    for path in paths:
        boxes, filled = path.boxes.copy(), path.filled.copy()
        for other in paths:
            same = overlap(path.boxes[other.anchor], box_of(other.region)) > SAME_PLACE
            if same and other.anchor != path.anchor:
                beyond = slice(other.anchor + 1, None) if other.anchor > path.anchor else slice(0, other.anchor)
                boxes[beyond], filled[beyond] = np.nan, False
        ended.append(replace(path, boxes=boxes, filled=filled))
    return ended


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
