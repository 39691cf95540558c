"""Where the regions of an edited frame lie in the other frames: by an object's track, or by optical flow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lib.boxes import Boxes, areas, box_of, carry_in_box, draw_box, fill_gaps, interpolate, overlap, widest
from lib.edit_difference import Mask, split_regions
from lib.optical_flow import Flow, flow_between, sample
from lib.video_io import DecodedVideo

if TYPE_CHECKING:
    from lib.detector import Track

ENOUGH = 0.8  # share of a region that its tracks must cover; the rest is followed by flow otherwise
TOUCHED = 0.1  # share of a region that a further track must add to be taken
PART = 0.4  # region box over object box; below, the edit is of a part of the object
SAME_PLACE = 0.1  # intersection over union from which regions of two edited frames are the same one
FLOW_SIDE = 416  # pixels; the longest side at which regions are followed
LOST_SHARE = 0.1  # of a region's pixels; with fewer left it counts as lost
FAR = 1e6  # pixels; beyond any frame

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
        maps = maps_to_anchor(anchor, flows)
        for region in split_regions(difference, reach):
            chosen = choose_tracks(region, anchor, tracks)
            boxes = [draw_box(interpolate(track.boxes)[anchor], region) for track in chosen]
            left = region & ~np.any([np.zeros_like(region), *boxes], axis=0)
            enough = left.sum() <= (1 - ENOUGH) * region.sum()
            counted = np.zeros_like(region)
            for number, (track, box) in enumerate(zip(chosen, boxes, strict=True)):
                piece = region & (box | left) if enough and number == 0 else region & box
                covered = int((region & box & ~counted).sum())
                paths.append(_path_by_track(piece, covered, anchor, track, maps))
                counted |= box
            if not enough:
                paths.append(_path_by_flow(left, anchor, maps))
    return _end_at_other_anchors(paths)


def choose_tracks(region: Mask, anchor: int, tracks: Sequence["Track"]) -> list["Track"]:
    """Choose the objects that a region belongs to: one where it covers ENOUGH of the region, else several.

    Each step takes the track with the highest sum of the share of the region that it adds and the
    intersection over union of their boxes; the latter keeps a table from standing in for a cup.
    """
    region_box, left = box_of(region), region.copy()
    boxes = [interpolate(track.boxes)[anchor] for track in tracks]
    chosen: list[Track] = []
    while left.sum() > (1 - ENOUGH) * region.sum():
        added = [float((left & draw_box(box, region)).sum() / region.sum()) for box in boxes]
        fits = [overlap(region_box, box) for box in boxes]
        scores = [share + fit if share >= TOUCHED else 0 for share, fit in zip(added, fits, strict=True)]
        best = int(np.argmax([0, *scores])) - 1  # -1: no track adds enough
        if best < 0:
            break
        chosen.append(tracks[best])
        left &= ~draw_box(boxes[best], region)
    return chosen


def region_flows(video: DecodedVideo) -> RegionFlows:
    """Return the flows to the previous and to the next frame, each frames - 1 long, at FLOW_SIDE."""
    _, height, width, _ = video.shape
    scale = min(1.0, FLOW_SIDE / max(height, width))
    size = (round(width * scale), round(height * scale))
    small = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in video]
    pairs = list(zip(small[:-1], small[1:], strict=True))
    return [flow_between(after, before) for before, after in pairs], [flow_between(*pair) for pair in pairs]


def maps_to_anchor(anchor: int, flows: RegionFlows) -> list[Flow]:
    """Chain the flows of `region_flows`: for every frame, where in frame `anchor` each of its pixels was.

    Regions are looked up in the anchor itself, so that errors of their outline do not pile up as they
    would if they were redrawn from frame to frame.
    """
    to_previous, to_next = flows
    if not to_previous:
        return []
    maps = [np.zeros_like(to_previous[0]) for _ in range(len(to_previous) + 1)]
    for index in range(anchor + 1, len(maps)):
        flow = to_previous[index - 1]
        maps[index] = flow + sample(maps[index - 1], flow, outside=FAR)
    for index in range(anchor - 1, -1, -1):
        maps[index] = to_next[index] + sample(maps[index + 1], to_next[index], outside=FAR)
    return maps


def follow_by_flow(region: Mask, anchor: int, maps: list[Flow]) -> Boxes:
    """Follow a region (height, width) of frame `anchor` through the whole video.

    Returns:
        (frames, 4); NaN where less than LOST_SHARE of the region is left.
    """
    height, width = region.shape
    boxes = np.full((max(1, len(maps)), 4), np.nan)
    for index, flow in enumerate(maps):
        small_height, small_width, _ = flow.shape
        shown = cv2.resize(region.astype(np.float32), (small_width, small_height), interpolation=cv2.INTER_AREA)
        scale = np.tile([width / small_width, height / small_height], 2)
        boxes[index] = _box_of_rest(sample(shown, flow), float(shown.sum())) * scale
    boxes[anchor] = box_of(region)
    return boxes


def _path_by_track(piece: Mask, covered: int, anchor: int, track: "Track", maps: list[Flow]) -> RegionPath:
    height, width = piece.shape
    objects = interpolate(track.boxes)
    carried = carry_in_box(box_of(piece), objects, anchor)
    is_part = float(areas(box_of(piece))) < PART * float(areas(objects[anchor]))
    given = carried if is_part else widest(np.stack([carried, objects]))
    boxes, _ = fill_gaps(given, follow_by_flow(piece, anchor, maps), height, width)
    filled = np.isnan(track.boxes[:, 0]) & ~np.isnan(boxes[:, 0])
    names = [{"class": track.class_name, "id": int(track.id)}]
    return RegionPath(anchor, piece, "yolo_part" if is_part else "yolo_track", names, covered, boxes, filled)


def _path_by_flow(region: Mask, anchor: int, maps: list[Flow]) -> RegionPath:
    height, width = region.shape
    followed = follow_by_flow(region, anchor, maps)
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


def _box_of_rest(shown: NDArray[Any], full: float) -> Boxes:
    """Box a followed region given as 0..1 per pixel, without the threads that drifting pixels leave behind."""
    rest = (shown > 0.5).astype(np.uint8)
    opened = cv2.morphologyEx(rest, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    rest = opened if opened.sum() > 0.5 * rest.sum() else rest
    return box_of(rest > 0) if rest.sum() > LOST_SHARE * full else np.full(4, np.nan)
