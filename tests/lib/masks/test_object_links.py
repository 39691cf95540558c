"""One object is linked through a clip: across gaps, swaps and cuts in its detections, and out of the picture."""

import time

import numpy as np
import pytest

from lib.masks.object_links import Detection, core_colours, describe_sightings, link_object
from tests.lib.masks.example_edits import (
    FRAMES,
    HEIGHT,
    WIDTH,
    as_detections,
    painted,
    texture,
)

RED, BLUE = (210, 40, 40), (40, 60, 210)


def two_squares(step: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a video in which a red square moves right and a blue one left, through each other; and their boxes."""
    video = np.repeat(texture(HEIGHT, WIDTH, 0)[None], FRAMES, axis=0)
    red = np.array([[20 + step * t, 40, 50 + step * t, 70] for t in range(FRAMES)], np.float64)
    blue = np.array([[100 - step * t, 45, 130 - step * t, 75] for t in range(FRAMES)], np.float64)
    for index in range(FRAMES):
        video[index] = painted(painted(video[index], red[index], RED), blue[index], BLUE)
    return video, red, blue


def linked_boxes(video: np.ndarray, detections: list, seed: int = 0) -> np.ndarray:
    """Return the boxes (frames, 4) that are linked to one detection, by its place in the list by frame."""
    sightings = describe_sightings(video, detections)
    members = link_object(seed, sightings, len(video))
    boxes = np.full((len(video), 4), np.nan)
    boxes[sightings.frames[members]] = sightings.boxes[members]
    return boxes


def test_crossing_objects_keep_their_own_way() -> None:
    """Colour and motion decide where boxes meet; one that is hidden is not replaced by what hides it."""
    video, red, blue = two_squares()
    hidden = red.copy()
    hidden[4:7] = np.nan  # behind the blue square, where a detector sees one thing
    boxes = linked_boxes(video, as_detections(hidden) + as_detections(blue))
    assert np.array_equal(boxes, hidden, equal_nan=True)


def test_an_object_that_returns_is_the_same() -> None:
    """Out of the picture for frames on end, back at the border, and linked by its look."""
    video, red, blue = two_squares(step=2)
    away = red.copy()
    away[3:7] = np.nan
    boxes = linked_boxes(video, as_detections(away) + as_detections(blue))
    assert np.array_equal(boxes, away, equal_nan=True)


def test_another_object_elsewhere_does_not_take_over() -> None:
    """Where the object is seen no more, nothing is better than another thing."""
    video, red, blue = two_squares(step=2)
    gone = red.copy()
    gone[2:] = np.nan
    boxes = linked_boxes(video, as_detections(gone) + as_detections(blue))
    assert np.array_equal(boxes, gone, equal_nan=True)


def test_colours_are_those_of_the_middle() -> None:
    """What is at a box's corners does not count, and a look is its own nearest."""
    video, red, blue = two_squares(step=2)
    inside = core_colours(video[0], red[0])
    wider = core_colours(video[0], red[0] + [-5, -5, 5, 5])
    other = core_colours(video[0], blue[0])
    assert inside.sum() == pytest.approx(1)
    assert np.sqrt(inside * wider).sum() > 0.95 > 0.5 > np.sqrt(inside * other).sum()


def test_an_object_does_not_go_on_as_another_like_it() -> None:
    """Of two red squares one vanishes; the other is seen all the time, so it is not the one that vanished."""
    video = np.repeat(texture(HEIGHT, WIDTH, 0)[None], FRAMES, axis=0)
    gone = np.tile([20.0, 40, 50, 70], (FRAMES, 1))
    other = np.array([[90 - 4.0 * t, 45, 120 - 4 * t, 75] for t in range(FRAMES)])
    for index in range(FRAMES):
        video[index] = painted(video[index], other[index], RED)
        video[index] = painted(video[index], gone[index], RED) if index < 2 else video[index]
    gone[2:] = np.nan
    boxes = linked_boxes(video, as_detections(gone) + as_detections(other))
    assert np.array_equal(boxes, gone, equal_nan=True)


def test_a_clip_four_times_as_long_takes_about_four_times_as_long() -> None:
    """Twenty objects that look like three: what is compared does not grow with the square of a clip's length."""

    def seconds(num_frames: int) -> float:
        positions = np.linspace(5, 60, 20)
        boxes = [[x, y, x + 16, y + 12] for x, y in zip(positions, positions[::-1], strict=True)]
        rows = [(index, box) for index in range(num_frames) for box in boxes]
        video = np.zeros((num_frames, 80, 80, 3), np.uint8)
        video[:, ::3], video[:, 1::3] = RED, BLUE
        detections = [Detection(index, "car", np.array(box), 0.5) for index, box in rows]
        sightings = describe_sightings(video, detections)
        begun = time.process_time()
        assert len(link_object(20 * (num_frames // 2), sightings, num_frames)) == num_frames
        return time.process_time() - begun

    assert min(seconds(160) for _ in range(3)) < 9 * min(seconds(40) for _ in range(3))
