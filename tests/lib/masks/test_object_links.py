"""One object is linked through a clip: across gaps, swaps and cuts in its detections, and out of the picture."""

import cv2
import numpy as np
import pytest

from lib.masks.boxes import interpolate
from lib.masks.clip_motion import region_flows
from lib.masks.ground_motion import follow_ground
from lib.masks.object_links import core_colours, describe_sightings, link_object
from lib.masks.path_gaps import fill_gaps
from tests.lib.masks.test_edit_mask import FRAMES, HEIGHT, WIDTH, as_detections, moving_square, painted, texture

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


def test_short_gaps_are_interpolated_and_long_ones_are_not() -> None:
    """Ten missing frames are bridged linearly; with eleven each side is held by the motion there, here none."""
    boxes = np.full((14, 4), np.nan)
    boxes[0], boxes[11] = [40, 40, 60, 60], [62, 40, 82, 60]
    assert interpolate(boxes)[5].tolist() == [50, 40, 70, 60]
    boxes[11], boxes[12] = np.nan, [62, 40, 82, 60]
    assert np.isnan(interpolate(boxes)[5]).all()
    flows = region_flows(np.repeat(texture(HEIGHT, WIDTH, 0)[None], 14, axis=0))
    filled, was_filled = fill_gaps(boxes, flows, HEIGHT, WIDTH)
    assert np.abs(filled[3] - boxes[0]).max() < 1 and np.abs(filled[9] - boxes[12]).max() < 1
    assert was_filled.tolist() == [index not in (0, 12) for index in range(14)]


def test_what_goes_out_of_the_picture_goes_on_until_it_is_out() -> None:
    """At its speed, by the edge that is still inside; a whole object at the border has merely been missed."""
    flows = region_flows(np.repeat(texture(HEIGHT, WIDTH, 0)[None], 8, axis=0))
    leaving = np.full((8, 4), np.nan)
    leaving[:3] = [[96, 40, 136, 80], [110, 40, 150, 80], [124, 40, 160, 80]]
    filled, _ = fill_gaps(leaving, flows, HEIGHT, WIDTH)
    assert [round(left) for left in filled[3:5, 0]] == [138, 152] and np.isnan(filled[5:]).all()
    staying = np.full((8, 4), np.nan)
    staying[:3] = [120, 40, 160, 80]
    assert np.abs(fill_gaps(staying, flows, HEIGHT, WIDTH)[0][7] - staying[0]).max() < 1


def test_what_stands_on_the_ground_follows_the_camera() -> None:
    """A place is kept while a square passes over it and the camera pans; a moving square is no such place."""
    wide = texture(HEIGHT, WIDTH + 40, 3)
    video = np.stack([wide[:, 3 * t : 3 * t + WIDTH] for t in range(FRAMES)])
    for index in range(3, 6):
        video[index] = painted(video[index], (70 + 12 * index - 60, 40, 110 + 12 * index - 60, 80), RED)
    flows, shot = region_flows(video), slice(0, FRAMES)
    region = np.zeros((HEIGHT, WIDTH), np.bool_)
    region[45:75, 80:110] = True
    boxes = follow_ground(video, 0, region, shot, flows)
    assert boxes is not None
    assert np.abs(boxes - [[80 - 3 * t, 45, 110 - 3 * t, 75] for t in range(FRAMES)]).max() < 3
    moving, places = moving_square(step=6)
    region = cv2.rectangle(np.zeros((HEIGHT, WIDTH), np.uint8), (22, 42), (47, 67), 1, -1) > 0
    assert places[0].tolist() == [20, 40, 50, 70]
    assert follow_ground(moving, 0, region, shot, region_flows(moving)) is None


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
