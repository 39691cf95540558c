"""One object through a whole clip, linked from the detections of each frame by its look and its motion.

A tracker that goes frame by frame numbers an object anew when it comes back into the picture or out from behind
another, loses one that moves far between two frames, and lets two that cross swap numbers. A mask must stay with the
object that was edited, so the whole clip is looked at: of all ways through the detections the cheapest is taken (a
shortest path; Zhang, Li and Nevatia 2008, "Global data association for multi-object tracking using network flows",
for one object).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lib.core.errors import InputError, Problem, nearest_known
from lib.masks.boxes import Boxes, overlap
from lib.video.arrays import DecodedVideo, Picture

BINS = 6  # of a histogram, for each colour channel
CORE = 0.7  # of a box's width and height in the middle: the corners show what is behind the object
MISSING = 0.4  # cost of each frame in which the object is not seen; a sighting that costs more is not believed
OTHER_CLASS = 0.15  # cost of a sighting as another class: detectors waver
LOOK, MOTION = 1.0, 0.3  # weights of the two distances, each 0 to 1
ALIKE, SURE = 0.7, 0.25  # look's distance, and score, of another object that could be taken for the one followed
SAME_PLACE = 0.3  # intersection over union from which two detections of one frame show one object
MOST_RIVALS = 6
MOST_STEP = LOOK * 0.5 + MOTION + 1e-6  # that a step costs beside frames without a sighting; rounding is the rest
FARTHEST = 2.0  # diagonals of its box that an object moves between two frames at the most


@dataclass(frozen=True)
class Detection:
    """An object seen in one frame: its index, class, box (4,) in pixels, and score, 0 to 1."""

    frame: int
    class_name: str
    box: Boxes
    score: float


def of_classes(detections: Sequence[Detection], classes: Sequence[str] | None, known: Sequence[str]) -> list[Detection]:
    """Return the detections of some classes.

    Args:
        classes: names; None: all.
        known: every class of the detector.

    Raises:
        InputError: a class that the detector does not know.
    """
    unknown = [name for name in classes or () if name not in known]
    if unknown:
        raise InputError([Problem("classes", f"'{name}'", nearest_known(name, known)) for name in unknown])
    return [one for one in detections if classes is None or one.class_name in classes]


def detections_as_json(detections: Sequence[Detection]) -> list[dict[str, Any]]:
    """Write detections as plain values, to the last digit."""
    return [{**vars(one), "box": one.box.tolist()} for one in detections]


def detections_from_json(rows: Sequence[Mapping[str, Any]]) -> list[Detection]:
    """Read what `detections_as_json` wrote."""
    return [Detection(row["frame"], row["class_name"], np.array(row["box"], np.float64), row["score"]) for row in rows]


@dataclass(frozen=True)
class Sightings:
    """Every detection of a clip, by rising frame, with what linking compares.

    Attributes:
        detections: all of them.
        frames: (detections,).
        boxes: (detections, 4).
        looks: (detections, colours), roots of colour histograms.
    """

    detections: tuple[Detection, ...]
    frames: NDArray[np.int64]
    boxes: Boxes
    looks: NDArray[np.float32]


def describe_sightings(video: DecodedVideo, detections: Sequence[Detection]) -> Sightings:
    """Gather what linking compares of the detections in a video (frames, height, width, 3)."""
    ordered = tuple(sorted(detections, key=lambda detection: detection.frame))
    boxes = np.array([detection.box for detection in ordered], np.float64).reshape(-1, 4)
    frames = np.array([detection.frame for detection in ordered], np.int64)
    looks = [np.sqrt(core_colours(video[detection.frame], detection.box)) for detection in ordered]
    return Sightings(ordered, frames, boxes, np.array(looks, np.float32).reshape(-1, BINS**3))


def link_object(seed: int, sightings: Sightings, num_frames: int) -> list[int]:
    """Follow the object that one detection shows through the whole clip, forwards and backwards.

    Each step costs by the change of look, from the seed and from the step before, and of place; each frame without a
    sighting costs a constant. A sighting that one of the alike objects beside the seed reaches at less cost is theirs.

    Args:
        seed: index into `sightings`.
        sightings: of the clip.
        num_frames: of the clip.

    Returns:
        Indices into `sightings`, at most one a frame, the seed among them.
    """
    own = _way_both_ways(seed, sightings, num_frames, frozenset())
    theirs: set[int] = set()
    for rival in _alike_beside(seed, sightings):
        costs = _way_both_ways(rival, sightings, num_frames, frozenset())
        shared = own.keys() & costs.keys()  # from where two ways meet their steps cost the same
        theirs |= shared if any(costs[member] < own[member] for member in shared) else set()
    return list(own if not theirs else _way_both_ways(seed, sightings, num_frames, frozenset(theirs)))


def _way_both_ways(seed: int, sightings: Sightings, num_frames: int, barred: frozenset[int]) -> dict[int, float]:
    """Return the sightings of the cheapest ways from a seed to both ends of the clip, each with its step's cost."""
    start = sightings.frames[seed]
    found = {seed: 0.0}
    for direction, last in ((1, num_frames - 1), (-1, 0)):
        later = np.flatnonzero((sightings.frames - start) * direction > 0)
        later = np.array([index for index in later if index not in barred], np.int64)
        later = later[np.argsort(np.abs(sightings.frames[later] - start), kind="stable")]
        found |= _cheapest_way(np.concatenate([[seed], later]), sightings, last)
    return found


def _alike_beside(seed: int, sightings: Sightings) -> list[int]:
    """Return other objects of the seed's frame, at other places, that could be taken for it; the likest first."""
    distances = _distances(sightings.looks, sightings.looks[seed])
    box = sightings.boxes[seed]
    rivals = [
        index
        for index in np.flatnonzero((sightings.frames == sightings.frames[seed]) & (distances < ALIKE)).tolist()
        if sightings.detections[index].score >= SURE and overlap(sightings.boxes[index], box) < SAME_PLACE
    ]
    return sorted(rivals, key=lambda index: float(distances[index]))[:MOST_RIVALS]


def core_colours(picture: Picture, box: Boxes) -> NDArray[np.float32]:
    """Return the colours of the middle of a box (4,), as a histogram (BINS^3,) whose sum is 1."""
    height, width, _ = picture.shape
    centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) * CORE / 2
    left, top = np.clip(np.floor(centre - half), 0, [width - 1, height - 1]).astype(int)
    right, bottom = np.clip(np.ceil(centre + half), [left + 1, top + 1], [width, height]).astype(int)
    core = np.ascontiguousarray(picture[top:bottom, left:right])
    histogram = cv2.calcHist([core], [0, 1, 2], None, [BINS] * 3, [0, 256] * 3)
    # Blurred, so that a colour beside the border of two bins is like itself when it is a little lighter.
    blurred = sum(np.roll(histogram, step, axis) for axis in range(3) for step in (-1, 0, 1)).ravel()
    colours: NDArray[np.float32] = (blurred / blurred.sum()).astype(np.float32)
    return colours


def _cheapest_way(nodes: NDArray[Any], sightings: Sightings, last: int) -> dict[int, float]:
    """Return the sightings of the cheapest way from nodes[0] to the clip's end `last`, each with its step's cost.

    However long a way is, its last step costs MOST_STEP at the most beside the frames without a sighting, which all
    ways pay alike: a node behind by more can be no one's best predecessor. In a clip of n frames that leaves a few
    frames' sightings to try for each, not n.

    `nodes` are indices into `sightings` by their distance in time from the first.
    """
    frames, boxes, looks = sightings.frames[nodes], sightings.boxes[nodes], sightings.looks[nodes]
    centres, diagonals = (boxes[:, :2] + boxes[:, 2:]) / 2, np.linalg.norm(boxes[:, 2:] - boxes[:, :2], axis=1)
    kinds = np.array([sightings.detections[node].class_name for node in nodes])
    own_cost = LOOK * 0.5 * _distances(looks, looks[0]) + OTHER_CLASS * (kinds != kinds[0])
    costs, previous = np.full(len(nodes), np.inf), np.zeros(len(nodes), np.int64)
    costs[0] = 0.0
    elapsed = np.abs(frames - frames[0])
    before, tried = np.zeros(1, np.int64), 1  # nodes that may be best predecessors, of the first `tried`
    for index in range(1, len(nodes)):
        if elapsed[index] > elapsed[tried]:  # the frame before is done
            before = np.concatenate([before, np.arange(tried, index)])
            tried = index
            ahead = costs[before] - MISSING * elapsed[before]
            before = before[ahead <= ahead.min() + MOST_STEP]
        steps = elapsed[index] - elapsed[before]
        moved = np.linalg.norm(centres[index] - centres[before], axis=1)
        reach = FARTHEST * np.maximum(diagonals[index], diagonals[before]) * steps
        place = MOTION * np.minimum(1.0, moved / reach)
        look = LOOK * 0.5 * _distances(looks[before], looks[index])
        total = costs[before] + look + place + MISSING * (steps - 1)
        best = int(total.argmin())
        costs[index], previous[index] = total[best] + own_cost[index], before[best]
    index = int((costs + MISSING * np.abs(last - frames)).argmin())
    way = {}
    while index > 0:
        way[int(nodes[index])] = float(costs[index] - costs[previous[index]])
        index = int(previous[index])
    return way


def _distances(looks: NDArray[np.float32], look: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the Hellinger distances, 0 to 1, of looks (number, colours) from one."""
    return np.sqrt(np.clip(1 - looks.astype(np.float64) @ look, 0, 1))
