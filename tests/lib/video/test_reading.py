"""Reading what cameras and editors really produce."""

from pathlib import Path

import numpy as np
import pytest

from lib.core.errors import InputError
from lib.video.probing import probe_video
from lib.video.reading import read_frames
from lib.video.writing import write_viewable
from tests.lib.video.example_videos import NTSC, rotate_metadata, smooth_video, write_with


def test_rotation_metadata_is_applied(tmp_path: Path) -> None:
    """A landscape file that a telephone marked as turned is read as portrait, the right way up."""
    video = smooth_video()
    write_viewable(tmp_path / "video.mp4", video, NTSC, crf=5)
    upright, _ = read_frames(tmp_path / "video.mp4", [0])
    rotate_metadata(tmp_path / "video.mp4")
    info = probe_video(tmp_path / "video.mp4")
    assert (info.width, info.height, info.orientation) == (48, 64, 6)
    turned, _ = read_frames(tmp_path / "video.mp4", [0])
    # A display matrix of a quarter to the right, as telephones held upright write it.
    assert np.array_equal(turned[0], np.rot90(upright[0], -1))


def test_variable_frame_rate_is_kept(tmp_path: Path) -> None:
    """Uneven times survive reading and writing."""
    times = [0.0, 0.04, 0.12, 0.16, 0.4, 0.44]
    write_viewable(tmp_path / "video.mp4", smooth_video(6), times, crf=20)
    _, read = read_frames(tmp_path / "video.mp4", range(6))
    assert read == pytest.approx(times, abs=1e-4)


@pytest.mark.parametrize(
    ("suffix", "codec", "pixel_format"),
    [("mkv", "libx264", "yuv420p10le"), ("mkv", "ffv1", "yuv444p"), ("mov", "prores_ks", "yuv422p10le")],
)
def test_ten_bit_and_odd_sizes_are_read(tmp_path: Path, suffix: str, codec: str, pixel_format: str) -> None:
    """10-bit, 4:4:4 and 4:2:2 footage becomes 8-bit RGB of the right colours; odd sizes where the format has them."""
    video = smooth_video(4, 48, 64) if "444" not in pixel_format else smooth_video(4, 47, 63)
    path = tmp_path / f"video.{suffix}"
    write_with(path, video, codec, pixel_format)
    info = probe_video(path)
    assert (info.num_frames, info.height, info.width) == video.shape[:3]
    read, _ = read_frames(path, range(4))
    assert np.abs(read.astype(int) - video).mean() < 4


def test_alpha_is_laid_over_black(tmp_path: Path) -> None:
    """A half transparent white frame reads as mid-grey."""
    video = np.full((3, 32, 32, 4), 255, np.uint8)
    video[..., 3] = 128
    write_with(tmp_path / "video.mkv", video, "ffv1", "bgra")
    read, _ = read_frames(tmp_path / "video.mkv", [1])
    assert np.abs(read.astype(int) - 128).max() <= 1


def test_frames_beyond_the_end_are_an_input_error(tmp_path: Path) -> None:
    """The message names the file, what it has and what was needed."""
    write_viewable(tmp_path / "video.mp4", smooth_video(), NTSC, crf=20)
    with pytest.raises(InputError, match="found 12 decodable frames; expected at least 21"):
        read_frames(tmp_path / "video.mp4", [0, 20])
