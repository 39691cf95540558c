"""Edited frames, references and masks land where the source does."""

from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from lib.core.errors import InputError
from lib.video.alignment import align_edited_frame, read_outside, read_references, read_user_mask
from lib.video.crops import apply_crop, plan_crop
from lib.video.images import write_image
from lib.video.writing import write_viewable
from tests.lib.video.example_videos import smooth_video


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


@pytest.mark.parametrize("size", [(90, 160), (180, 320), (48, 64), (96, 128)], ids=["source", "double", "run", "of it"])
def test_another_tools_video_lands_where_the_source_does(tmp_path: Path, size: tuple[int, int]) -> None:
    """Whole frames are cropped as the source is, of whatever size; frames of the run's shape are cropped already."""
    source = smooth_video(6, 90, 160)
    crop = plan_crop(90, 160, width=64, height=48)
    cropped = np.stack([apply_crop(frame, crop) for frame in source])
    whole = source if size[1] * 9 == size[0] * 16 else cropped
    given = np.stack([cv2.resize(frame, size[::-1], interpolation=cv2.INTER_CUBIC) for frame in whole])
    write_viewable(tmp_path / "outside.mp4", given, [index / 25 for index in range(6)], crf=0)
    video = read_outside(tmp_path / "outside.mp4", [0, 0, 2, 5], asdict(crop))
    assert video.shape == (4, 48, 64, 3) and (video[0] == video[1]).all()
    luma = [cv2.cvtColor(np.concatenate(list(frames)), cv2.COLOR_RGB2GRAY).astype(int) for frames in (video, cropped)]
    assert np.abs(luma[0] - luma[1].reshape(6, 48, 64)[[0, 0, 2, 5]].reshape(-1, 64)).mean() < 1.5


def test_another_tools_video_of_another_shape_is_refused(tmp_path: Path) -> None:
    """A square one was squeezed or cropped: nobody can know."""
    write_viewable(tmp_path / "outside.mp4", smooth_video(3, 64, 64), [0, 0.04, 0.08], crf=15)
    with pytest.raises(InputError, match="found frames of 64x64 pixels"):
        read_outside(tmp_path / "outside.mp4", [0], asdict(plan_crop(90, 160, width=64, height=48)))
