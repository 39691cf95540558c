"""Cropping: source, edited frames and masks share it."""

import pytest

from lib.video.crops import plan_crop, same_aspect


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(1080, 1920, (480, 832)), (1920, 1080, (832, 480)), (144, 176, (480, 832)), (500, 500, (480, 832))],
)
def test_crop_covers_the_target_in_the_sources_orientation(height: int, width: int, expected: tuple[int, int]) -> None:
    """Portrait sources swap the size; the resize covers it with less than a pixel of stretch."""
    crop = plan_crop(height, width, width=832, height=480)
    assert (crop.height, crop.width) == expected
    assert crop.resized_height >= crop.height and crop.resized_width >= crop.width
    assert crop.resized_height == crop.height or crop.resized_width == crop.width
    assert abs(crop.resized_width - crop.resized_height * width / height) <= 1
    assert abs(2 * crop.top - (crop.resized_height - crop.height)) <= 1


def test_rounding_by_image_tools_is_the_same_aspect() -> None:
    """1360x768 is what editors make of 1280x720; 4:3 is another picture."""
    assert same_aspect(1360, 768, 1280, 720)
    assert not same_aspect(1024, 768, 1280, 720)
