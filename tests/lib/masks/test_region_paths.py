"""Which objects hold an edit, and how far the way of its region is trusted."""

import numpy as np

from lib.masks.clip_motion import region_flows
from lib.masks.facts import describe_mask
from lib.masks.region_paths import LinkedObject, choose_objects, path_by_flow
from tests.lib.masks.example_edits import FRAMES, HEIGHT, WIDTH


def test_several_tracks_are_taken_where_one_does_not_cover_the_edit() -> None:
    """A region over two objects takes both; a large box around everything is not preferred."""
    region = np.zeros((HEIGHT, WIDTH), np.bool_)
    region[40:60, 20:100] = True
    left, right, table = ([20, 40, 60, 60], [60, 40, 100, 60], [0, 0, 160, 120])
    boxes = [np.array([box], np.float64) for box in (table, left, right)]
    objects = [LinkedObject(name, box, box) for name, box in zip(("table", "left", "right"), boxes, strict=True)]
    assert [one.class_name for one in choose_objects(region, 0, objects[1:])] == ["left", "right"]
    region[:, 60:] = False
    assert [one.class_name for one in choose_objects(region, 0, objects)] == ["left"]
    assert choose_objects(region, 0, [objects[2]]) == []


def test_a_region_that_balloons_is_trusted_less() -> None:
    """Optical flow that stretches a region sixfold is believed half as much as one that keeps its size."""
    mask = np.zeros((FRAMES, HEIGHT, WIDTH), np.bool_)
    mask[:, 10:20, 10:20] = True
    boxes = np.tile([10.0, 10, 20, 20], (FRAMES, 1))
    grown = boxes + np.linspace(0, 50, FRAMES)[:, None] * [0, 0, 1, 0]
    flows = region_flows(np.zeros((FRAMES, HEIGHT, WIDTH, 3), np.uint8))
    paths = [path_by_flow(mask[0], 0, followed, flows) for followed in (boxes, grown)]
    outside = {"mean_delta_e": 0.0, "changed_share": 0.0}
    before, after = (
        describe_mask("optical_flow", mask, {0: mask[0]}, [path], [], outside, min_confidence=0.5) for path in paths
    )
    assert (before["growth"], after["growth"]) == (1, 6)
    assert (before["confidence"], after["confidence"]) == (0.7, 0.35)
    assert (before["needs_a_look"], after["needs_a_look"]) == (False, True)
    assert len(after["warnings"]) == len(before["warnings"]) + 2 and "6.0-fold" in after["warnings"][-1]
