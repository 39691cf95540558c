"""The ladder of methods: which is asked, which is believed, and what a scene cut does to each."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lib.core.errors import InputError
from lib.core.files import write_json
from lib.masks.boxes import Boxes
from lib.masks.edit_mask import make_edit_mask, why_not
from lib.masks.refusals import refusal, refuse
from lib.masks.region_paths import METHODS
from lib.video.arrays import Mask
from tests.lib.masks.example_edits import (
    SETTINGS,
    as_detections,
    cut_video,
    holds,
    moving_square,
    painted,
)


def returning(boxes: Boxes) -> Callable[[int, Mask], Boxes]:
    """Return a prompted tracker that finds these boxes."""
    return lambda _anchor, _region: boxes.copy()


def test_a_mask_ends_at_a_cut_and_says_so() -> None:
    """Neither a track nor the flow is followed into another shot, and the frame is named."""
    video, (_, boxes) = cut_video(5), moving_square()
    for detections in (as_detections(boxes), []):
        mask, facts = make_edit_mask(video, painted(video[0], boxes[0]), {}, detections, SETTINGS)
        assert holds(mask[4], boxes[4])
        # Frames 5 to 8 share a latent frame and are all of the new shot.
        assert not mask[5:].any()
        assert facts["cuts"] == [5] and any("begins at frame 5" in warning for warning in facts["warnings"])


def test_a_reference_behind_a_cut_masks_its_own_shot() -> None:
    """An edited frame of the second shot is followed there, and not in the first."""
    video = cut_video(5)
    box = (100, 20, 130, 50)
    mask, _ = make_edit_mask(video, video[0], {6: painted(video[6], box)}, [], SETTINGS)
    assert all(holds(plane, box) for plane in mask[5:]) and not mask[:5].any()


def test_a_prompted_tracker_is_asked_where_no_object_holds_the_edit() -> None:
    """YOLOE's boxes are taken before optical flow; a track that holds the edit comes before both."""
    video, boxes = moving_square()
    edited, followers = painted(video[0], boxes[0]), {"yoloe": returning(boxes)}
    mask, facts = make_edit_mask(video, edited, {}, [], SETTINGS, followers)
    assert facts["method"] == "yoloe" and facts["confidence"] == pytest.approx(0.85, abs=0.05)
    assert all(holds(plane, box) for plane, box in zip(mask, boxes, strict=True))
    assert make_edit_mask(video, edited, {}, as_detections(boxes), SETTINGS, followers)[1]["method"] == "yolo_track"


def test_a_tracker_that_misses_its_prompt_is_passed_over() -> None:
    """Boxes elsewhere, or none at the edited frame, are not believed."""
    video, boxes = moving_square()
    edited = painted(video[0], boxes[0])
    absent = boxes.copy()
    absent[0] = np.nan
    for found in (boxes + 60, absent):
        facts = make_edit_mask(video, edited, {}, [], SETTINGS, {"sam2": returning(found)})[1]
        assert facts["method"] == "optical_flow"


@pytest.mark.parametrize("method", METHODS)
def test_each_rung_can_be_used_alone(method: str) -> None:
    """Every method masks the edited square in every frame; without weights the top ones leave it to the flow."""
    video, boxes = moving_square(step=2)
    followers = {name: returning(boxes) for name in ("yoloe", "sam2")}
    settings = replace(SETTINGS, methods=(method,), min_confidence=0.0)
    mask, facts = make_edit_mask(video, painted(video[0], boxes[0]), {}, as_detections(boxes), settings, followers)
    assert all(holds(plane, box) for plane, box in zip(mask, boxes, strict=True))
    assert facts["method"] == {"yolo": "yolo_track"}.get(method, method)
    assert (mask == mask[0]).all() == (method in ("static_box", "whole_frame"))


def test_what_the_flow_loses_is_held_by_one_box() -> None:
    """Below the confidence asked for, the ladder goes on down, and the mask is to be looked at."""
    video, boxes = moving_square()
    settings = replace(SETTINGS, min_confidence=0.75)
    mask, facts = make_edit_mask(video, painted(video[0], boxes[0]), {}, [], settings)
    assert facts["method"] == "optical_flow" and facts["needs_a_look"]  # the most trusted of all that fall short
    settings = replace(settings, methods=("static_box", "whole_frame"))
    facts = make_edit_mask(video, painted(video[0], boxes[0]), {}, [], settings)[1]
    assert facts["method"] == "static_box"


def test_a_doubtful_mask_can_hold_its_edit_back(tmp_path: Path) -> None:
    """The reason names the confidence, clip and edit, and stands in the mask's facts; a good mask has none."""
    video, boxes = moving_square()
    edited = painted(video[0], boxes[0])
    good = make_edit_mask(video, edited, {}, as_detections(boxes), SETTINGS)[1]
    mask, doubtful = make_edit_mask(video, edited, {}, [], replace(SETTINGS, min_confidence=0.9))
    assert why_not(mask, good, hold=True) is None and why_not(mask, doubtful, hold=False) is None
    problem = why_not(mask, doubtful, hold=True)
    assert problem is not None and re.search(r"confidence 0\.\d+, held back", problem.found)
    nothing = why_not(mask & False, good, hold=False)
    assert nothing is not None and "no difference" in nothing.found
    write_json(tmp_path / "held.json", {**doubtful, **refusal(problem, "car", "red")})
    write_json(tmp_path / "good.json", good)
    refuse([tmp_path / "held.json", tmp_path / "good.json"])
    with pytest.raises(InputError, match=r"clip 'car', edit 'red': edit_mask: .*held back"):
        refuse([tmp_path / "held.json"])
