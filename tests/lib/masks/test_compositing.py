"""Outside the mask: the source's pixels, or its colours."""

import numpy as np
import pytest

from lib.masks.compositing import composite, correct_edited, match_colours
from tests.lib.video.example_videos import smooth_video

HEIGHT, WIDTH = 96, 160


@pytest.fixture
def plane() -> np.ndarray:
    """A box in the middle."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[24:72, 40:120] = True
    return mask


@pytest.fixture
def source() -> np.ndarray:
    """A picture of many colours, away from black and white, so that a drift is not clipped."""
    return (smooth_video(1, HEIGHT, WIDTH)[0] * 0.7 + 30).astype(np.uint8)


def test_a_composite_keeps_the_edit_and_gives_the_source_back_outside(source: np.ndarray, plane: np.ndarray) -> None:
    """Outside the source, bit for bit; well inside the edit; between them a slope, none without a feather."""
    edited = np.full_like(source, 250)
    soft, hard = (composite(edited, source, plane, feather) for feather in (20.0, 0.0))
    for result in (soft, hard):
        assert (result[~plane] == source[~plane]).all()
        assert (result[44:52, 70:90] == 250).all()
    assert (hard[plane] == 250).all()
    row = soft[48, 40:60].astype(int) - source[48, 40:60]
    assert 0 < row[1].max() < (250 - source[48, 41].astype(int)).max()


def test_colours_that_drifted_are_matched(source: np.ndarray, plane: np.ndarray) -> None:
    """A change of gain, tint and brightness is undone in the whole picture, the edit with it."""
    edit = source.copy()
    edit[plane] = (200, 60, 40)
    matrix = np.array([[0.95, 0.03, 0.0], [0.0, 1.04, 0.02], [0.02, 0.0, 0.93]])
    drifted = np.clip(edit @ matrix.T + (5, -4, 8), 0, 255).round().astype(np.uint8)
    matched = match_colours(drifted, source, plane).astype(int)
    assert np.abs(drifted[~plane].astype(int) - source[~plane]).mean() > 3
    assert np.abs(matched[~plane] - source[~plane]).mean() < 0.6
    assert np.abs(matched[plane] - (200, 60, 40)).mean() < 4


def test_a_shadow_outside_the_mask_does_not_spoil_the_match(source: np.ndarray, plane: np.ndarray) -> None:
    """A tenth of the background truly changed: the rest decides, and the shadow stays."""
    edited = source.copy()
    edited[80:92, 20:140] //= 2
    matched = match_colours(edited, source, plane)
    rest = ~plane
    rest[80:92, 20:140] = False
    assert np.abs(matched[rest].astype(int) - source[rest]).mean() < 0.5
    assert np.abs(matched[80:92, 20:140].astype(int) - edited[80:92, 20:140]).mean() < 2


def test_a_mask_that_fills_the_frame_leaves_no_colours_to_match(source: np.ndarray) -> None:
    """Nothing to compare: the edited frame stays as it is."""
    edited = 255 - source
    assert (match_colours(edited, source, np.ones((HEIGHT, WIDTH), bool)) == edited).all()


@pytest.mark.parametrize("how", ["none", "colour", "composite"])
def test_each_correction_is_what_its_name_says(source: np.ndarray, plane: np.ndarray, how: str) -> None:
    """None changes nothing, composite leaves no drift, colour next to none."""
    edited = np.where(plane[..., None], 255 - source, source + 9).astype(np.uint8)
    corrected = correct_edited(edited, source, plane, how)
    drift = np.abs(corrected[~plane].astype(int) - source[~plane]).mean()
    assert {"none": drift == 9, "colour": drift < 1, "composite": drift == 0}[how]
    assert (corrected == edited).all() == (how == "none")
