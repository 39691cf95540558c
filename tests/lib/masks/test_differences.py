"""What an edit changed is told from what tools change by the way."""

import cv2
import numpy as np
import pytest

from lib.masks.differences import edit_difference
from tests.lib.masks.example_edits import HEIGHT, WIDTH, holds, painted, texture


def test_difference_is_the_painted_box() -> None:
    """A painted square is found to within the blur."""
    source = texture(HEIGHT, WIDTH, 0)
    found = edit_difference(source, painted(source, (50, 30, 90, 70)), 6.0)
    assert holds(found, (52, 32, 88, 68))
    assert found.sum() <= 46 * 46


@pytest.mark.parametrize("disturb", ["nothing", "gain", "shift", "noise", "jpeg"])
def test_what_tools_change_by_the_way_is_no_edit(disturb: str) -> None:
    """Gain and bias, a shifted picture and noise do not widen the difference."""
    source = texture(HEIGHT, WIDTH, 0)
    edited = painted(source, (50, 30, 90, 70)).astype(np.float64)
    if disturb == "gain":
        edited = edited * 1.06 + 4
    elif disturb == "shift":
        edited = np.roll(edited, (1, -2), axis=(0, 1))
    elif disturb == "noise":
        edited += np.random.default_rng(5).normal(0, 6, edited.shape)
    elif disturb == "jpeg":
        coded = cv2.imencode(".jpg", edited.astype(np.uint8)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
        edited = cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1].astype(np.float64)
    found = edit_difference(source, np.clip(edited, 0, 255).round().astype(np.uint8), 6.0)
    assert holds(found, (54, 34, 86, 66))
    assert found.sum() <= 48 * 48


def test_colours_decoded_with_the_other_matrix_are_no_edit() -> None:
    """A picture coded by BT.601 and decoded by BT.709 differs in every colour, and shows the same."""
    colours = [(180, 90, 60), (70, 170, 80), (60, 90, 190), (190, 180, 70), (120, 120, 120), (170, 80, 170)]
    source = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for number, colour in enumerate(colours):
        source[60 * (number % 2) : 60 * (number % 2) + 60, 53 * (number // 2) : 53 * (number // 2) + 54] = colour
    luma = source @ np.array([0.299, 0.587, 0.114])
    red = luma + 1.5748 * (source[..., 0] - luma) / 1.402
    blue = luma + 1.8556 * (source[..., 2] - luma) / 1.772
    green = (luma - 0.2126 * red - 0.0722 * blue) / 0.7152
    edited = np.clip(np.stack([red, green, blue], axis=-1), 0, 255).round().astype(np.uint8)
    assert np.abs(edited.astype(int) - source).max() >= 15
    assert not edit_difference(source, edited, 6.0).any()


def test_a_weak_edit_beside_a_strong_one_is_found() -> None:
    """The threshold parts edits from noise, not the strong edit from the weak one."""
    source = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    edited = painted(painted(source, (10, 10, 50, 50), (0, 255, 0)), (100, 60, 140, 100), (150, 120, 110))
    found = edit_difference(source, edited, 6.0)
    assert holds(found, (12, 12, 48, 48)) and holds(found, (104, 64, 136, 96))


def test_specks_are_dropped() -> None:
    """A change of a few pixels is no edit."""
    source = texture(HEIGHT, WIDTH, 0)
    assert not edit_difference(source, painted(source, (50, 30, 52, 32)), 6.0).any()
