"""Motion that goes along with the source's, and where nothing can be said of it."""

import cv2
import numpy as np
import pytest

from lib.metrics.motion import measure_motion, motion_error, warp_error
from lib.metrics.per_frame import mean_score
from tests.lib.metrics.example_video import FRAMES


def test_warp_error_is_low_for_motion_along_with_the_source(source: np.ndarray, motion: tuple) -> None:
    """The source and its negative move alike; flicker and a frozen picture do not."""
    own = mean_score(warp_error(source, *motion))
    flicker = source.copy()
    flicker[1::2] = np.clip(flicker[1::2].astype(int) + 40, 0, 255)
    frozen = np.repeat(source[:1], FRAMES, axis=0)
    assert mean_score(warp_error(255 - source, *motion)) == pytest.approx(own, rel=0.1)
    assert mean_score(warp_error(flicker, *motion)) > 5 * own
    assert mean_score(warp_error(frozen, *motion)) > 5 * own


def test_warp_error_by_hand() -> None:
    """Without motion, a step of 51 in three channels is 3 * 0.2 ** 2."""
    video = np.zeros((2, 10, 10, 3), np.uint8)
    video[1] = 51
    flows, visible = np.zeros((1, 10, 10, 2), np.float32), np.ones((1, 10, 10), np.bool_)
    assert warp_error(video, flows, visible) == [None, pytest.approx(0.12)]
    visible[:, 4:] = False
    assert warp_error(video, flows, visible) == [None, None], "40 valid pixels are too few, not perfect"


def test_motion_error_of_copy_frozen_and_reversed(source: np.ndarray, edit_mask: np.ndarray, motion: tuple) -> None:
    """A copy has error 0 and cosine 1, a still picture 1 and 0, reversed motion about 2 and -1."""
    expected = {0: (source, 1), 1: (np.repeat(source[:1], FRAMES, axis=0), 0), 2: (source[::-1], -1)}
    for size, (output, direction) in expected.items():
        errors, cosines = motion_error(output, edit_mask, *motion)
        assert errors[0] is None and cosines[0] is None
        assert errors[1:] == pytest.approx([size] * (FRAMES - 1), abs=0.15)
        assert cosines[1:] == pytest.approx([direction] * (FRAMES - 1), abs=0.1)


def test_motion_error_is_none_where_it_says_nothing(source: np.ndarray, edit_mask: np.ndarray, motion: tuple) -> None:
    """Too few pixels, or a source that stands still, give None and not a perfect 0."""
    few = np.zeros_like(edit_mask)
    few[:, :5, :5] = True
    assert motion_error(source, few, *motion) == ([None] * FRAMES, [None] * FRAMES)
    hidden = np.zeros_like(motion[1])
    assert motion_error(source, edit_mask, motion[0], hidden) == ([None] * FRAMES, [None] * FRAMES)
    still = np.repeat(source[:1], FRAMES, axis=0)
    assert motion_error(source, edit_mask, *measure_motion(still))[0] == [None] * FRAMES


def test_pixels_that_enter_the_frame_are_not_visible_before(motion: tuple) -> None:
    """The ground moves right, so that the left border is new in each frame."""
    flows, visible = motion
    assert flows[:, 10:-10, 10:-10, 0].mean() == pytest.approx(-2, abs=0.1)
    assert not visible[:, :, 0].any() and visible[:, 10:-10, 10:-10].mean() > 0.95


def test_ground_that_a_moving_object_uncovers_is_not_visible_before() -> None:
    """Most of the strip behind an object that moves 12 pixels over still ground is new; its inside is not."""
    noise = np.random.default_rng(0).normal(0, 1, (2, 240, 320, 3))
    ground, figure = (np.clip(128 + 200 * cv2.GaussianBlur(n, (0, 0), 2), 0, 255).astype(np.uint8) for n in noise)
    video = np.stack([ground, ground])
    for picture, left in zip(video, (60, 72), strict=True):
        picture[60:180, left : left + 120] = figure[60:180, :120]
    visible = measure_motion(video)[1][0]
    assert visible[70:170, 62:72].mean() < 0.5
    assert visible[70:170, 90:180].mean() > 0.95
