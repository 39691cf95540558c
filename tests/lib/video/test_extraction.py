"""The frames of a run, with their times and their sound."""

from pathlib import Path

import numpy as np
import pytest

from lib.video.extraction import extract_frames
from lib.video.sound import Sound
from lib.video.writing import write_viewable
from tests.lib.video.example_videos import smooth_video


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
