"""Sampling, cropping and aligning: the geometry that source, edited frames and masks share."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from lib.core.errors import InputError
from lib.video.alignment import align_edited_frame, read_references, read_user_mask
from lib.video.crops import apply_crop, plan_crop, same_aspect
from lib.video.extraction import extract_frames
from lib.video.images import write_image
from lib.video.sound import Sound
from lib.video.windows import sample_indices
from lib.video.writing import write_viewable
from tests.lib.video.test_video_io import smooth_video


def test_frames_are_consecutive_unless_a_stride_is_asked() -> None:
    """The whole clip is never squeezed into the model's length."""
    assert sample_indices(start=3, stride=1, num_frames=5) == [3, 4, 5, 6, 7]
    assert sample_indices(start=0, stride=3, num_frames=5) == [0, 3, 6, 9, 12]


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


def test_edited_frame_of_any_size_lands_where_the_source_does(tmp_path: Path) -> None:
    """A frame edited at twice the size is cropped to the same content."""
    source = smooth_video(1, 90, 160)[0]
    crop = plan_crop(90, 160, width=64, height=48)
    doubled = source.repeat(2, axis=0).repeat(2, axis=1)
    write_image(tmp_path / "edited.png", doubled)
    aligned = align_edited_frame(tmp_path / "edited.png", asdict(crop))
    assert aligned.shape == (48, 64, 3)
    assert np.abs(aligned.astype(int) - apply_crop(source, crop)).mean() < 2


def test_edited_frame_of_another_aspect_is_refused(tmp_path: Path) -> None:
    """Stretching it silently would shift the edit."""
    write_image(tmp_path / "edited.png", np.zeros((90, 120, 3), np.uint8))
    with pytest.raises(InputError, match="found 120x90 pixels"):
        align_edited_frame(tmp_path / "edited.png", asdict(plan_crop(90, 160, width=64, height=48)))


def test_rounding_by_image_tools_is_the_same_aspect() -> None:
    """1360x768 is what editors make of 1280x720; 4:3 is another picture."""
    assert same_aspect(1360, 768, 1280, 720)
    assert not same_aspect(1024, 768, 1280, 720)


def test_extracted_frames_keep_their_times_and_sound(tmp_path: Path) -> None:
    """Start and stride choose the frames; sound covers the same time; the facts say where all came from."""
    tone = np.sin(np.arange(48000) * 2 * np.pi * 440 / 48000).astype(np.float32)[np.newaxis] * 0.5
    write_viewable(
        tmp_path / "source.mp4", smooth_video(25), [index / 25 for index in range(25)], 10, Sound(tone, 48000)
    )
    video, sound, facts = extract_frames(tmp_path / "source.mp4", num_frames=5, width=48, height=32, start=4, stride=3)
    assert video.shape == (5, 32, 48, 3)
    assert facts["indices"] == [4, 7, 10, 13, 16]
    assert facts["times"] == pytest.approx([0, 0.12, 0.24, 0.36, 0.48], abs=1e-4)
    assert facts["fps"] == pytest.approx(25 / 3)
    assert sound is not None and sound.samples.shape[1] / sound.rate == pytest.approx(0.6, abs=0.01)


def test_references_are_found_by_their_position(tmp_path: Path) -> None:
    """Named by source index, used by position among the sampled frames."""
    for index in (6, 2):
        write_image(tmp_path / f"{index:05d}.png", np.full((4, 4, 3), index, np.uint8))
    references = read_references(tmp_path, [0, 2, 4, 6])
    assert {position: int(picture[0, 0, 0]) for position, picture in references.items()} == {1: 2, 3: 6}


def test_user_masks_keep_hard_edges(tmp_path: Path) -> None:
    """White is edit; cropping makes no grey."""
    mask = np.zeros((90, 160, 3), np.uint8)
    mask[:, :80] = 255
    for index in (0, 1):
        write_image(tmp_path / f"{index}.png", mask)
    crop = plan_crop(90, 160, width=64, height=48)
    read = read_user_mask([tmp_path / f"{index}.png" for index in (0, 1)], [0, 1], [0, 1], asdict(crop))
    assert read.shape == (2, 48, 64)
    assert read[:, :, :31].all() and not read[:, :, 33:].any()


def test_a_user_mask_may_be_one_video(tmp_path: Path) -> None:
    """Its frames are the source's: those of the sampled indices are taken; H.264's greys do not blur the edge."""
    mask = np.zeros((7, 96, 160, 3), np.uint8)
    for index in range(7):
        mask[index, :, : 16 * (index + 1)] = 255
    write_viewable(tmp_path / "mask.mp4", mask, [index / 25 for index in range(7)], 15)
    read = read_user_mask([tmp_path / "mask.mp4"], [], [1, 4], asdict(plan_crop(96, 160, width=160, height=96)))
    assert read.shape == (2, 96, 160)
    assert read[0].sum(axis=1).tolist() == [32] * 96 and read[1].sum(axis=1).tolist() == [80] * 96
