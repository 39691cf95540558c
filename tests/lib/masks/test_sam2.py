"""SAM 2 follows what a box of one frame shows, forwards and backwards.

The real network with random weights, so no test of accuracy: shapes, that prompts reach the network, that calls do not
influence one another.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from lib.masks.boxes import box_of
from lib.masks.sam2 import build_like, make_sam2_follower, make_sam2_segmenter
from lib.masks.ultralytics_setup import tame_ultralytics
from tests.lib.masks.prompted_trackers import CPU, HEIGHT, IMAGE_SIZE, LEFT, NUM_FRAMES, RIGHT, WIDTH

pytestmark = pytest.mark.usefixtures("offline")


def test_sam2_segments_what_the_box_shows(sam2_weights: Path, video: np.ndarray) -> None:
    """Masks are (frames, height, width) bool, and depend on the box in its frame and in those before and after."""
    segment = make_sam2_segmenter(sam2_weights, video, CPU, IMAGE_SIZE)
    left, right = segment(2, LEFT), segment(2, RIGHT)
    assert left.shape == (NUM_FRAMES, HEIGHT, WIDTH) and left.dtype == np.bool_
    assert left.any(axis=(1, 2)).all() and (left != right).any(axis=(1, 2)).all()


def test_sam2_calls_do_not_influence_one_another(sam2_weights: Path, video: np.ndarray) -> None:
    """The same region gives the same masks whatever came before, and the video is left as it was."""
    segment, before = make_sam2_segmenter(sam2_weights, video, CPU, IMAGE_SIZE), video.copy()
    first = segment(1, LEFT)
    segment(4, RIGHT)
    np.testing.assert_array_equal(segment(1, LEFT), first)
    np.testing.assert_array_equal(video, before)


def test_sam2_goes_backwards_as_forwards(sam2_weights: Path, video: np.ndarray) -> None:
    """The frames before the anchor are those after it in the reversed video; at the ends one way suffices."""
    masks = make_sam2_segmenter(sam2_weights, video, CPU, IMAGE_SIZE)(3, LEFT)
    reversed_masks = make_sam2_segmenter(sam2_weights, video[::-1], CPU, IMAGE_SIZE)(NUM_FRAMES - 1 - 3, LEFT)
    np.testing.assert_array_equal(masks, reversed_masks[::-1])
    cut = make_sam2_segmenter(sam2_weights, video[3:], CPU, IMAGE_SIZE)(0, LEFT)
    np.testing.assert_array_equal(masks[3:], cut)


def test_sam2_follower_gives_the_boxes_of_the_masks(sam2_weights: Path, video: np.ndarray) -> None:
    """Each box encloses its mask exactly, in a portrait video too."""
    portrait, shown = np.ascontiguousarray(video.transpose(0, 2, 1, 3)), np.ascontiguousarray(LEFT.T)
    boxes = make_sam2_follower(sam2_weights, portrait, CPU, IMAGE_SIZE)(0, shown)
    masks = make_sam2_segmenter(sam2_weights, portrait, CPU, IMAGE_SIZE)(0, shown)
    assert boxes.shape == (NUM_FRAMES, 4) and boxes.dtype == np.float64 and masks.shape == portrait.shape[:3]
    np.testing.assert_array_equal(boxes, [box_of(mask) for mask in masks])


def test_sam2_absence_is_nan(save_sam2: Callable[[str, float], Path], video: np.ndarray) -> None:
    """Where SAM 2 (here 2.0) sees no object the boxes are NaN, in the anchor frame too."""
    boxes = make_sam2_follower(save_sam2("sam2_t.pt", -5.0), video, CPU, IMAGE_SIZE)(1, LEFT)
    assert boxes.shape == (NUM_FRAMES, 4) and boxes.dtype == np.float64 and np.isnan(boxes).all()


def test_sam2_is_built_as_by_ultralytics(sam2_weights: Path) -> None:
    """From a file that can be trusted, ultralytics' own loader makes the same network, SAM 2.1's parts included."""
    with tame_ultralytics():
        from ultralytics.models.sam.build import build_sam

        theirs = build_sam(sam2_weights)
    ours = build_like(theirs.state_dict())
    assert ours.state_dict().keys() == theirs.state_dict().keys() and str(ours) == str(theirs)
    settings = [{key: value for key, value in vars(model).items() if key[0] != "_"} for model in (ours, theirs)]
    assert settings[0] == settings[1] and settings[0]["proj_tpos_enc_in_obj_ptrs"] is True


@pytest.mark.parametrize("size", ["t", "s", "b", "l"])
def test_sam2_size_is_told_from_the_weights(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the four sizes is built from its own weights, whatever the file is called."""
    monkeypatch.setattr(torch, "linspace", partial(torch.linspace, device="cpu"))  # whose values the builders read
    with tame_ultralytics(), torch.device("meta"):  # sizes only: no memory, no time
        from ultralytics.models.sam import build

        weights = getattr(build, f"build_sam2_{size}")().state_dict()
        built = build_like(weights).state_dict()
    assert {key: value.shape for key, value in built.items()} == {key: value.shape for key, value in weights.items()}
