"""One object is linked through a clip: across gaps, swaps and cuts in its detections, and out of the picture."""

import numpy as np
import pytest

from lib.masks import object_links
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


def _num_compared(num_frames: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many looks are held against one another to link one of twelve squares through a clip."""
    rows, columns = np.divmod(np.arange(12), 4)
    corners = np.stack([10 + 36 * columns, 6 + 30 * rows, 34 + 36 * columns, 30 + 30 * rows], axis=1)
    picture = texture(HEIGHT, WIDTH, 0)
    for number, box in enumerate(corners):
        picture = painted(picture, box, (20 * number, 240 - 20 * number, 90 if number % 2 else 200))
    squares = [as_detections(np.tile(box.astype(np.float64), (num_frames, 1))) for box in corners]
    video, compared = np.repeat(picture[None], num_frames, axis=0), [0]
    sightings = describe_sightings(video, [one for square in squares for one in square])

    def count(looks: np.ndarray, look: np.ndarray) -> np.ndarray:
        compared[0] += len(looks)
        return distances(looks, look)

    distances = object_links._distances
    with monkeypatch.context() as counting:
        counting.setattr(object_links, "_distances", count)
        members = link_object(3, sightings, num_frames)
    assert len(members) == num_frames and np.ptp(sightings.boxes[members], axis=0).max() == 0
    return compared[0]


def test_a_longer_clip_costs_as_much_more_to_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four times the frames are four times the comparisons, not sixteen: a crowd of 3,240 detections took seconds."""
    assert _num_compared(80, monkeypatch) < 5 * _num_compared(20, monkeypatch)


def test_no_way_is_lost_for_the_comparisons_that_are_spared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Detections at random, with gaps: each object's way is the same as with every sighting before held against it."""
    generator = np.random.default_rng(7)
    video = np.repeat(texture(HEIGHT, WIDTH, 0)[None], 2 * FRAMES, axis=0)
    detections = []
    for frame in range(len(video)):
        for _ in range(generator.integers(0, 5)):
            left, top = generator.uniform(20, 80), generator.uniform(20, 60)
            box = np.array([left, top, left + generator.uniform(15, 40), top + generator.uniform(15, 40)])
            video[frame] = painted(video[frame], box, (RED, BLUE, (200, 60, 60))[generator.integers(3)])
            detections.append(Detection(frame, str(generator.choice(["cat", "dog"])), box, generator.uniform(0.1, 1)))
    sightings = describe_sightings(video, detections)
    spared = [link_object(seed, sightings, len(video)) for seed in range(len(detections))]
    monkeypatch.setattr(object_links, "MOST_STEP", np.inf)
    assert spared == [link_object(seed, sightings, len(video)) for seed in range(len(detections))]
    assert any(len(way) > 3 for way in spared)
