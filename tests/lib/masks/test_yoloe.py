"""YOLOE follows what a box of one frame shows.

The real network with random weights, so no test of accuracy: shapes, that prompts reach the network, that calls do not
influence one another.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lib.masks.boxes import box_of, overlap
from lib.masks.detector import detect_objects, load_detector
from lib.masks.object_links import Detection, describe_sightings
from lib.masks.yoloe import link_at, make_yoloe_follower, prompt_yoloe
from tests.lib.masks.prompted_trackers import CPU, HEIGHT, LEFT, NUM_FRAMES, RIGHT, WIDTH

pytestmark = pytest.mark.usefixtures("offline")


def test_yoloe_returns_the_track_at_the_region(yoloe_weights: Path, video: np.ndarray) -> None:
    """Boxes are (frames, 4) float64 in the frame, absent as whole rows, and overlap the region at its frame."""
    follow = make_yoloe_follower(yoloe_weights, video, 0.1, CPU)
    for shown in (LEFT, RIGHT):
        boxes = follow(0, shown)
        assert boxes.shape == (NUM_FRAMES, 4) and boxes.dtype == np.float64
        seen = ~np.isnan(boxes).any(axis=1)
        assert (np.isnan(boxes).any(axis=1) == np.isnan(boxes).all(axis=1)).all()
        assert (boxes[seen] >= 0).all() and (boxes[seen] <= [WIDTH, HEIGHT, WIDTH, HEIGHT]).all()
        assert overlap(boxes[0], box_of(shown)) >= 0.1


def test_yoloe_finds_nothing_below_its_confidence(yoloe_weights: Path, video: np.ndarray) -> None:
    """Where no detection is sure enough, all rows are NaN."""
    boxes = make_yoloe_follower(yoloe_weights, video, 0.999, CPU)(2, LEFT)
    assert boxes.shape == (NUM_FRAMES, 4) and np.isnan(boxes).all()


def test_yoloe_learns_what_the_box_shows(yoloe_weights: Path, video: np.ndarray) -> None:
    """The embedding that it looks for depends on the box and on the frame, and is the same for the same."""
    detector = load_detector(yoloe_weights)
    embeddings = []
    for frame, shown in ((video[0], LEFT), (video[0], RIGHT), (255 - video[0], LEFT), (video[0], LEFT)):
        prompt_yoloe(detector, frame, box_of(shown), CPU)
        embeddings.append(detector.model.pe.clone())
        assert embeddings[-1].shape == (1, 1, 512) and list(detector.names) == [0]
    differences = [float((embedding - embeddings[0]).abs().max()) for embedding in embeddings]
    assert differences[1] > 1e-3 and differences[2] > 1e-3 and differences[3] == 0


def test_yoloe_calls_do_not_influence_one_another(
    yoloe_weights: Path, video: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call looks for its own region, gives the same whatever came before, and leaves the video as it was."""
    sought = []

    def detect_objects_noting(detector: Any, *rest: Any) -> list[Detection]:
        sought.append(detector.model.pe.clone())
        return detect_objects(detector, *rest)

    monkeypatch.setattr("lib.masks.yoloe.detect_objects", detect_objects_noting)
    follow, before = make_yoloe_follower(yoloe_weights, video, 0.1, CPU), video.copy()
    first, other, again = follow(0, LEFT), follow(3, RIGHT), follow(0, LEFT)
    np.testing.assert_array_equal(again, first)
    assert torch.equal(sought[2], sought[0]) and not torch.equal(sought[1], sought[0])
    np.testing.assert_array_equal(make_yoloe_follower(yoloe_weights, video, 0.1, CPU)(3, RIGHT), other)
    assert torch.equal(sought[3], sought[1])
    np.testing.assert_array_equal(video, before)


def test_the_detection_that_fits_best_is_linked(video: np.ndarray) -> None:
    """Of several in the region's frame, the one with the highest intersection over union; none that hardly touch."""
    near = [Detection(index, "object", np.array([10.0 + index, 10, 30 + index, 30]), 0.5) for index in range(3)]
    wide = [Detection(0, "object", np.array([0.0, 0, 90, 90]), 0.9)]
    sightings = describe_sightings(np.full_like(video, 90), wide + near)
    boxes = link_at(np.array([10.0, 10, 30, 31]), 0, sightings, NUM_FRAMES)
    np.testing.assert_array_equal(boxes[:3], [one.box for one in near])
    assert np.isnan(boxes[3:]).all()
    assert np.isnan(link_at(np.array([100.0, 60, 110, 70]), 0, sightings, NUM_FRAMES)).all()
    assert np.isnan(link_at(np.array([10.0, 10, 30, 30]), 4, sightings, NUM_FRAMES)).all()
    assert np.isnan(link_at(np.array([10.0, 10, 30, 30]), 0, describe_sightings(video, []), NUM_FRAMES)).all()
