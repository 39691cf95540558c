"""What is no whole video is noticed before it is used."""

from pathlib import Path

import pytest

from lib.core.errors import InputError
from lib.video.probing import probe_video
from lib.video.writing import write_viewable
from tests.lib.video.example_videos import smooth_video, write_with


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm"])
def test_truncated_video_is_noticed(tmp_path: Path, suffix: str) -> None:
    """A download that broke off is refused by the probe, in formats with and without an index at the front."""
    codec = "libvpx-vp9" if suffix == "webm" else "libx264"
    whole, cut = tmp_path / f"whole.{suffix}", tmp_path / f"cut.{suffix}"
    if suffix == "mp4":
        write_viewable(whole, smooth_video(50), [index / 25 for index in range(50)], crf=10)
    else:
        write_with(whole, smooth_video(50), codec, "yuv420p")
    assert probe_video(whole).num_frames == 50
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    with pytest.raises(InputError, match="truncated"):
        probe_video(cut)


def test_files_that_are_no_video_are_refused(tmp_path: Path) -> None:
    """Text, an empty file and a sound file are named for what they are."""
    (tmp_path / "text.mp4").write_text("not a video")
    (tmp_path / "empty.mp4").write_bytes(b"")
    for name in ("text.mp4", "empty.mp4", "missing.mp4"):
        with pytest.raises(InputError, match="unreadable"):
            probe_video(tmp_path / name)
