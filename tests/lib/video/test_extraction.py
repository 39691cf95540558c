"""The frames of a run, with their times and their sound."""

from pathlib import Path

import av
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


def test_what_is_left_out_of_the_sound_is_among_the_facts(tmp_path: Path) -> None:
    """Damaged packets cost no frame; the report says so, which shows these facts."""
    tone = np.sin(np.arange(48000) * 2 * np.pi * 440 / 48000).astype(np.float32)[np.newaxis] * 0.5
    whole, damaged = tmp_path / "whole.mp4", tmp_path / "damaged.mp4"
    write_viewable(whole, smooth_video(25), [index / 25 for index in range(25)], 10, Sound(tone, 48000))
    with av.open(str(whole)) as source, av.open(str(damaged), "w") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for number, packet in enumerate(source.demux()):
            if packet.dts is None:
                continue
            stream, copy = streams[packet.stream.index], packet
            if packet.stream.type == "audio" and number > 2:
                copy = av.Packet(b"\xff" * packet.size)
                copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
            copy.stream = stream
            target.mux(copy)
    video, sound, facts = extract_frames(damaged, num_frames=9, width=48, height=32, start=0, stride=1)
    assert len(video) == 9 and sound is not None
    assert "cannot be decoded: silence stands there" in facts["sound"]
    assert "sound" not in extract_frames(whole, num_frames=9, width=48, height=32, start=0, stride=1)[2]
