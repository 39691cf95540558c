"""Every pixel keeps its place, whatever size the pipeline takes."""

import numpy as np
import pytest

from lib.editors.sizes import edit_at_size, working_size
from lib.video.arrays import Picture


def test_padding_is_taken_off_again() -> None:
    """What the editor is shown is a multiple, its edge repeated; pixels are as they were."""
    picture = np.random.default_rng(0).integers(0, 255, (33, 50, 3), np.uint8)
    shown: list[Picture] = []

    def invert(given: Picture) -> Picture:
        shown.append(given)
        return 255 - given

    assert (edit_at_size(picture, 16, None, invert) == 255 - picture).all()
    assert shown[0].shape == (48, 64, 3) and (shown[0][:33, :50] == picture).all()
    assert (shown[0][40, :50] == picture[-1]).all()


def test_a_resized_picture_comes_back_in_place() -> None:
    """A square on a smooth ground is where it was, after twice the size and back."""
    picture = np.full((60, 90, 3), 40, np.uint8)
    picture[20:40, 30:60] = 200
    made = edit_at_size(picture, 16, 4 * 60 * 90 / 1e6, lambda given: given)
    assert made.shape == picture.shape
    assert np.abs(made.astype(int) - picture)[5:15].max() <= 1 and made[30, 45].min() >= 198
    left, right = made[30, :, 0].astype(int)[27:33], made[30, :, 0].astype(int)[57:63]
    assert np.abs(left - right[::-1]).max() <= 12


@pytest.mark.parametrize(("height", "width", "expected"), [(480, 832, (784, 1344)), (832, 480, (1344, 784))])
def test_working_sizes_keep_area_and_shape(height: int, width: int, expected: tuple[int, int]) -> None:
    """About a megapixel, sides divisible."""
    assert working_size(height, width, 16, 1.048576) == expected


def test_an_editor_that_returns_another_size_is_a_bug() -> None:
    """It is not resized in silence."""
    with pytest.raises(AssertionError):
        edit_at_size(np.zeros((16, 16, 3), np.uint8), 16, None, lambda given: given[:8])
