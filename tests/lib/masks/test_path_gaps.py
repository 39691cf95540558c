"""Where an object is not seen: between two sightings, and beyond the picture's border."""

import numpy as np

from lib.masks.boxes import interpolate
from lib.masks.clip_motion import region_flows
from lib.masks.path_gaps import fill_gaps
from tests.lib.masks.example_edits import HEIGHT, WIDTH, texture


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
