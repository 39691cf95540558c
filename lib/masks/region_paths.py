"""Where the regions of an edited frame lie in the other frames: a ladder of methods, each tried where one before fails.

A region is followed by the track of the object it belongs to; else by a tracker that is prompted with it; else by
optical flow; and where nothing can be trusted, one box holds all of its way, or the whole frame is taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from lib.config.sections import MaskMethod
from lib.masks.boxes import Boxes, FollowRegion, areas, box_of, carry_in_box, draw_box, overlap, widest
from lib.masks.clip_motion import RegionFlows
from lib.masks.differences import split_regions
from lib.masks.ground_motion import follow_ground
from lib.masks.object_links import Detection, Sightings, describe_sightings, link_object
from lib.masks.path_gaps import fill_gaps
from lib.masks.region_flow import follow_by_flow
from lib.video.arrays import DecodedVideo, Mask
from lib.video.cuts import shot_of

ENOUGH = 0.8  # share of a region that its objects must cover; the rest goes down the ladder otherwise
TOUCHED = 0.1  # share of a region that a further track must add to be taken
NEAR = 0.05  # of a box's width and height, added on each side: detectors' boxes are tight, blurred edges are not
PART = 0.4  # region box over object box; below, the edit is of a part of the object
SAME_PLACE = 0.1  # intersection over union from which regions of two edited frames are the same one
SEED_REACH = 3  # frames from an edited one within which an object must be detected
STEADY = 3.0  # growth or shrinkage of a region that optical flow can be believed
LARGEST_STATIC_BOX = 0.6  # of the frame; a larger one is as good as the whole frame

METHODS: tuple[MaskMethod, ...] = get_args(MaskMethod)

WHOLE_OBJECT, OBJECT_PART = "yolo_track", "yolo_part"
TRUST = {
    WHOLE_OBJECT: 0.95,
    OBJECT_PART: 0.85,
    "sam2": 0.9,
    "yoloe": 0.85,
    "optical_flow": 0.7,
    "static_box": 0.45,
    "whole_frame": 0.4,
}
"""Of a path that has no gap, by what it was followed by; the rung `yolo` gives the first two."""


@dataclass(frozen=True)
class RegionPath:
    """A region of one edited frame, and where it lies in every frame.

    Attributes:
        anchor: the frame in which the region was found.
        region: (height, width) there.
        method: what it was followed by, a key of TRUST.
        tracks: class of the object, and in how many frames it was detected; empty for other methods.
        covered: pixels of the region inside the object's box; all of them for other methods.
        boxes: (frames, 4) of what is masked: the region, and the object that it is most of.
        carried: (frames, 4) of the region alone.
        filled: (frames,), True where nothing was found and the path was filled in.
        confidence: 0 to 1.
    """

    anchor: int
    region: Mask
    method: str
    tracks: list[dict[str, Any]]
    covered: int
    boxes: Boxes
    carried: Boxes
    filled: NDArray[np.bool_]
    confidence: float


@dataclass(frozen=True)
class LinkedObject:
    """An object of the clip as seen from an edited frame.

    Attributes:
        class_name: as which it was detected there, or in the nearest frame.
        seen: (frames, 4), NaN where it was not detected.
        boxes: (frames, 4) with gaps filled, NaN where it is out of the picture.
    """

    class_name: str
    seen: Boxes
    boxes: Boxes


def follow_regions(
    source_video: DecodedVideo,
    flows: RegionFlows,
    cuts: Sequence[int],
    differences: Mapping[int, Mask],
    detections: Sequence[Detection],
    followers: Mapping[str, FollowRegion],
    methods: Sequence[str],
    min_confidence: float,
    reach: int,
) -> list[RegionPath]:
    """Find where each region of each edited frame lies in every frame of its shot.

    Args:
        source_video: (frames, height, width, 3).
        flows: of `region_flows`.
        cuts: frames that begin a new shot.
        differences: changed pixels (height, width) by frame.
        detections: of the objects in the video.
        followers: prompted trackers by method; those that are missing are left out.
        methods: rungs of the ladder to use, see METHODS.
        min_confidence: of a path; with less, the next rung is tried, and the best of all is taken in the end.
        reach: pixels; regions closer together than about twice this are one.
    """
    paths = []
    for anchor, difference in differences.items():
        shot = shot_of(anchor, cuts, len(source_video))
        seen = [one for one in detections if "yolo" in methods and shot.start <= one.frame < shot.stop]
        sightings = describe_sightings(source_video, seen)
        for region in split_regions(difference, reach):
            found, left = _follow_objects(region, anchor, sightings, flows)
            if left is not None:
                ground = follow_ground(source_video[shot], anchor - shot.start, left, shot, flows)
                found.append(_descend(left, anchor, followers, methods, min_confidence, flows, ground))
            paths += [_within(path, shot) for path in found]
    return _end_at_other_anchors(paths)


def _follow_objects(
    region: Mask, anchor: int, sightings: Sightings, flows: RegionFlows
) -> tuple[list[RegionPath], Mask | None]:
    """Follow what of a region belongs to objects; return their paths, and what is left to be followed otherwise."""
    chosen = choose_objects(region, anchor, link_objects(region, anchor, sightings, flows))
    boxes = [_draw_near(one.boxes[anchor], region) for one in chosen]
    left = region & ~np.any([np.zeros_like(region), *boxes], axis=0)
    enough = left.sum() <= (1 - ENOUGH) * region.sum()
    counted = np.zeros_like(region)
    paths = []
    for number, (one, box) in enumerate(zip(chosen, boxes, strict=True)):
        piece = region & (box | left) if enough and number == 0 else region & box
        covered = int((region & box & ~counted).sum())
        paths.append(_path_by_object(piece, covered, anchor, one))
        counted |= box
    return paths, None if enough else left


def link_objects(region: Mask, anchor: int, sightings: Sightings, flows: RegionFlows) -> list[LinkedObject]:
    """Link every object that was detected at a region of frame `anchor`, or there within a few frames of it."""
    height, width = region.shape
    num_frames = len(flows.colours)
    distances = np.abs(sightings.frames - anchor)
    seeds = [int(seed) for seed in np.argsort(distances, kind="stable") if distances[seed] <= SEED_REACH]
    linked: list[LinkedObject] = []
    known: set[int] = set()
    for seed in seeds:
        if seed in known or not (_draw_near(sightings.boxes[seed], region) & region).any():
            continue
        members = link_object(seed, sightings, num_frames)
        known.update(members)
        seen = np.full((num_frames, 4), np.nan)
        seen[sightings.frames[members]] = sightings.boxes[members]
        boxes, _ = fill_gaps(seen, flows, height, width)
        if not np.isnan(boxes[anchor, 0]):
            linked.append(LinkedObject(sightings.detections[seed].class_name, seen, boxes))
    return linked


def _descend(
    region: Mask,
    anchor: int,
    followers: Mapping[str, FollowRegion],
    methods: Sequence[str],
    min_confidence: float,
    flows: RegionFlows,
    ground: Boxes | None,
) -> RegionPath:
    """Go down the ladder below `yolo` until a path can be trusted; take the most trusted one if none can."""
    followed = follow_by_flow(region, anchor, flows) if ground is None else ground
    tried = []
    for method in (method for method in METHODS if method in methods):
        if method in followers:
            path = _path_by_follower(region, anchor, method, followers[method](anchor, region), flows)
        elif method == "optical_flow":
            path = path_by_flow(region, anchor, followed, flows)
        elif method == "static_box":
            path = _static_path(region, anchor, followed)
        elif method == "whole_frame":
            path = _whole_frame_path(region, anchor, len(followed))
        else:
            continue
        tried.append(path)
        if path.confidence >= min_confidence:
            return path
    return max(tried, key=lambda path: path.confidence, default=path_by_flow(region, anchor, followed, flows))


def choose_objects(region: Mask, anchor: int, objects: Sequence[LinkedObject]) -> list[LinkedObject]:
    """Choose the objects that a region belongs to: one where it covers ENOUGH of the region, else several.

    Each step takes the object with the highest sum of the share of the region that it adds and the
    intersection over union of their boxes; the latter keeps a table from standing in for a cup.
    """
    region_box, left = box_of(region), region.copy()
    boxes = [_draw_near(one.boxes[anchor], region) for one in objects]
    fits = [overlap(region_box, one.boxes[anchor]) for one in objects]
    chosen: list[LinkedObject] = []
    while left.sum() > (1 - ENOUGH) * region.sum():
        added = [float((left & box).sum() / region.sum()) for box in boxes]
        scores = [share + fit if share >= TOUCHED else 0 for share, fit in zip(added, fits, strict=True)]
        best = int(np.argmax([0, *scores])) - 1  # -1: no object adds enough
        if best < 0:
            break
        chosen.append(objects[best])
        left &= ~boxes[best]
    return chosen


def _draw_near(box: Boxes, like: Mask) -> Mask:
    """Draw a box grown by NEAR."""
    grown = NEAR * (box[2:] - box[:2])
    return draw_box(np.concatenate([box[:2] - grown, box[2:] + grown]), like)


def _path_by_object(piece: Mask, covered: int, anchor: int, one: LinkedObject) -> RegionPath:
    carried = carry_in_box(box_of(piece), one.boxes, anchor)
    is_part = float(areas(box_of(piece))) < PART * float(areas(one.boxes[anchor]))
    boxes = carried if is_part else widest(np.stack([carried, one.boxes]))
    filled = np.isnan(one.seen[:, 0]) & ~np.isnan(boxes[:, 0])
    names = [{"class": one.class_name, "frames": int((~np.isnan(one.seen[:, 0])).sum())}]
    method = OBJECT_PART if is_part else WHOLE_OBJECT
    return RegionPath(anchor, piece, method, names, covered, boxes, carried, filled, _trust(method, filled))


def _path_by_follower(region: Mask, anchor: int, method: str, found: Boxes, flows: RegionFlows) -> RegionPath:
    """Take a prompted tracker's boxes; one that does not find the region where it was shown it is not believed."""
    height, width = region.shape
    if np.isnan(found[anchor, 0]):
        boxes, filled = np.tile(box_of(region), (len(found), 1)), np.ones(len(found), np.bool_)
        return replace(_path_of_all(region, anchor, method, boxes, filled, confidence=0.0), covered=0)
    boxes, filled = fill_gaps(found, flows, height, width)
    held = float(_draw_near(boxes[anchor], region)[region].mean())
    return _path_of_all(region, anchor, method, boxes, filled, held * _trust(method, filled))


def path_by_flow(region: Mask, anchor: int, followed: Boxes, flows: RegionFlows) -> RegionPath:
    """Fill the gaps of a path (frames, 4) by optical flow, and trust it the less the more its size changes."""
    height, width = region.shape
    boxes, filled = fill_gaps(followed, flows, height, width)
    sizes = areas(boxes[~np.isnan(boxes[:, 0])])
    steadiness = min(1.0, STEADY * max(1.0, float(sizes.min())) / float(sizes.max()))
    return _path_of_all(region, anchor, "optical_flow", boxes, filled, steadiness * _trust("optical_flow", filled))


def _static_path(region: Mask, anchor: int, followed: Boxes) -> RegionPath:
    """Hold all of the way that optical flow believes the region to go, in every frame."""
    height, width = region.shape
    box = np.clip(widest(followed), 0, [width, height, width, height])
    boxes = np.tile(box, (len(followed), 1))
    confidence = TRUST["static_box"] if float(areas(box)) < LARGEST_STATIC_BOX * width * height else 0.0
    return _path_of_all(region, anchor, "static_box", boxes, np.zeros(len(boxes), np.bool_), confidence)


def _whole_frame_path(region: Mask, anchor: int, frames: int) -> RegionPath:
    height, width = region.shape
    boxes = np.tile(np.array([0, 0, width, height], np.float64), (frames, 1))
    return _path_of_all(region, anchor, "whole_frame", boxes, np.zeros(frames, np.bool_), TRUST["whole_frame"])


def _path_of_all(
    region: Mask, anchor: int, method: str, boxes: Boxes, filled: NDArray[np.bool_], confidence: float
) -> RegionPath:
    """Return a path whose boxes (frames, 4) are those of all of a region, and of no object."""
    covered = int(region.sum())
    return RegionPath(anchor, region, method, [], covered, boxes, carried=boxes, filled=filled, confidence=confidence)


def _trust(method: str, filled: NDArray[np.bool_]) -> float:
    return TRUST[method] * (1 - float(filled.mean()) / 2)


def _within(path: RegionPath, shot: slice) -> RegionPath:
    """Leave a path only the frames of a shot."""
    outside = np.ones(len(path.boxes), np.bool_)
    outside[shot] = False
    boxes, carried = (np.where(outside[:, None], np.nan, given) for given in (path.boxes, path.carried))
    return replace(path, boxes=boxes, carried=carried, filled=path.filled & ~outside)


def _end_at_other_anchors(paths: list[RegionPath]) -> list[RegionPath]:
    """Let a path end at the next edited frame, on each side, that shows the same region: it knows better."""
    ended = []
    for path in paths:
        boxes, carried, filled = path.boxes.copy(), path.carried.copy(), path.filled.copy()
        for other in paths:
            same = overlap(path.boxes[other.anchor], box_of(other.region)) > SAME_PLACE
            if same and other.anchor != path.anchor:
                beyond = slice(other.anchor + 1, None) if other.anchor > path.anchor else slice(0, other.anchor)
                boxes[beyond], carried[beyond], filled[beyond] = np.nan, np.nan, False
        ended.append(replace(path, boxes=boxes, carried=carried, filled=filled))
    return ended
