"""Our own files: without loss where a model reads them, the same bytes each time."""

from pathlib import Path

import numpy as np
import pytest

from lib.video.probing import VideoInfo, probe_video
from lib.video.reading import read_first_frame, read_frames, read_mask, read_video
from lib.video.sound import Sound, read_sound
from lib.video.writing import write_lossless, write_mask, write_viewable
from tests.lib.video.example_videos import NTSC, smooth_video


def test_lossless_video_comes_back_bit_for_bit(tmp_path: Path) -> None:
    """FFV1 keeps every value of noise, and the times."""
    video = np.random.default_rng(0).integers(0, 256, (12, 33, 47, 3), dtype=np.uint8)
    write_lossless(tmp_path / "video.mkv", video, NTSC)
    assert np.array_equal(read_video(tmp_path / "video.mkv"), video)
    assert np.array_equal(read_first_frame(tmp_path / "video.mkv"), video[0])


def test_mask_comes_back_bit_for_bit(tmp_path: Path) -> None:
    """Masks never pass through lossy video."""
    mask = np.random.default_rng(0).random((12, 33, 47)) > 0.5
    write_mask(tmp_path / "mask.mkv", mask, NTSC)
    assert np.array_equal(read_mask(tmp_path / "mask.mkv"), mask)


def test_viewable_video_keeps_rate_colours_and_sound(tmp_path: Path) -> None:
    """H.264 in mp4: 29.97 fps stays, colours stay within rounding, sound is as long as the video."""
    video = smooth_video()
    tone = np.sin(np.arange(round(0.4 * 48000)) * 2 * np.pi * 440 / 48000).astype(np.float32)[np.newaxis] * 0.5
    source = VideoInfo(64, 48, 12, 29.97, 1, "h264", "yuv420p", True, pixel_aspect=12 / 11)
    write_viewable(tmp_path / "video.mp4", video, NTSC, crf=10, sound=Sound(tone, 48000), source=source)
    info = probe_video(tmp_path / "video.mp4")
    assert (info.codec, info.pixel_format, info.num_frames, info.has_audio) == ("h264", "yuv420p", 12, True)
    assert info.fps == pytest.approx(30000 / 1001, rel=1e-3)
    assert info.pixel_aspect == pytest.approx(12 / 11, rel=1e-3)
    again, times = read_frames(tmp_path / "video.mp4", range(12))
    assert np.abs(again.astype(int) - video).mean() < 2.5
    assert times == pytest.approx(NTSC, abs=1e-4)
    sound = read_sound(tmp_path / "video.mp4")
    assert sound is not None and sound.rate == 48000
    assert sound.samples.shape[1] / 48000 == pytest.approx(0.4, abs=0.05)
    assert np.sqrt((sound.samples**2).mean()) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


def test_same_video_is_written_as_the_same_bytes(tmp_path: Path) -> None:
    """Same pictures, same file: no time stamps, no dependence on chance."""
    for name in ("first", "second"):
        write_viewable(tmp_path / f"{name}.mp4", smooth_video(), NTSC, crf=15)
        write_lossless(tmp_path / f"{name}.mkv", smooth_video(), NTSC)
    for suffix in (".mp4", ".mkv"):
        assert (tmp_path / f"first{suffix}").read_bytes() == (tmp_path / f"second{suffix}").read_bytes()
