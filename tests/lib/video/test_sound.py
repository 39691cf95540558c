"""The sound of a part of a clip."""

from pathlib import Path

import numpy as np

from lib.video.sound import Sound, read_sound
from lib.video.writing import write_lossless
from tests.lib.video.example_videos import smooth_video


def test_sound_is_cut_to_the_frames_without_clicks(tmp_path: Path) -> None:
    """Sound kept losslessly comes back to 16 bits, also from its middle; beyond its end there is silence."""
    tone = np.sin(np.arange(48000) * 2 * np.pi * 440 / 48000).astype(np.float32)[np.newaxis] * 0.5
    times = [index / 25 for index in range(25)]
    write_lossless(tmp_path / "video.mkv", smooth_video(25), times, Sound(tone, 48000))
    whole = read_sound(tmp_path / "video.mkv", 0, 1.0)
    assert whole is not None and np.abs(whole.samples - tone).max() < 1e-3
    part = read_sound(tmp_path / "video.mkv", 0.5, 1.5)
    assert part is not None and np.abs(part.samples[:, :23000] - tone[:, 24000:47000]).max() < 0.1
    assert not part.samples[:, 24100:].any()
