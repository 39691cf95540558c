"""Times rise whatever a file says, and sound stays in step with the picture and never costs it."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from lib.video.reading import read_frames
from lib.video.sound import read_sound
from lib.video.times import rising
from tests.lib.video.example_videos import smooth_video
from tests.lib.video.test_as_shown import remux, write


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([3.0, 3.04, 3.08], [0.0, 0.04, 0.08]),
        ([0.0, 0.04, 0.04, 0.12], [0.0, 0.04, 0.06, 0.12]),
        ([0.0, 0.08, 0.04, 0.12], [0.0, 0.08, 0.1, 0.12]),
        ([9.0, 9.04, 0.0, 0.04], [0.0, 0.04, 0.08, 0.12]),
        ([None, None, None], [0.0, 0.04, 0.08]),
        ([0.0, None, 0.08], [0.0, 0.04, 0.08]),
    ],
    ids=["late start", "equal", "falling", "begun anew", "none", "one missing"],
)  # fmt: skip
def test_times_rise_whatever_the_file_says(given: list[float | None], expected: list[float]) -> None:
    """A video that is written needs rising times; good ones are kept."""
    assert rising(given, 0.04) == pytest.approx(expected)


def test_equal_time_stamps_in_a_file_are_read(tmp_path: Path) -> None:
    """Variable-rate recorders write them: all frames are there, with rising times."""
    whole = write(tmp_path / "whole.mkv", smooth_video(10), options={"bf": "0", "crf": "4"})
    last: dict[str, int] = {}

    def repeat(number: int, packet: Any) -> Any:
        if number == 5:
            packet.pts, packet.dts = last["pts"], last["dts"]
        last.update(pts=packet.pts, dts=packet.dts)
        return packet

    path = remux(whole, tmp_path / "equal.mkv", repeat)
    frames, times = read_frames(path, list(range(10)))
    assert len(frames) == 10 and (np.diff(times) > 0).all() and times[9] == pytest.approx(9 / 25, abs=2e-3)


def test_sound_that_changes_its_channels_goes_on(tmp_path: Path) -> None:
    """Broadcast: from mono to stereo in mid-file. The picture is edited, the sound stays in step."""
    parts = []
    for name, layout, begin in (("1", "mono", 0), ("2", "stereo", 24)):
        path = tmp_path / f"{name}.ts"
        with av.open(str(path), "w") as container:
            picture: Any = container.add_stream("mpeg2video", rate=25)
            picture.height, picture.width, picture.pix_fmt = 48, 64, "yuv420p"
            sound: Any = container.add_stream("mp2", rate=48000)
            sound.layout = layout
            for number, each in enumerate(smooth_video(24)):
                frame = av.VideoFrame.from_ndarray(each, format="rgb24")
                frame.pts, frame.time_base = begin + number, Fraction(1, 25)
                container.mux(picture.encode(frame))
            container.mux(picture.encode(None))
            wave = (np.sin(np.arange(1152) * 2 * np.pi * 10 / 1152) * 9000).astype(np.int16)
            for number in range(40):
                values = np.repeat(wave, 2 if layout == "stereo" else 1)[None]
                piece = av.AudioFrame.from_ndarray(values, format="s16", layout=layout)
                piece.rate, piece.pts, piece.time_base = 48000, begin * 1920 + number * 1152, Fraction(1, 48000)
                container.mux(sound.encode(piece))
            container.mux(sound.encode(None))
        parts.append(path.read_bytes())
    path = tmp_path / "both.ts"
    path.write_bytes(b"".join(parts))
    sound = read_sound(path, 0.0, 1.8)
    assert sound is not None and sound.samples.shape[1] == round(1.8 * 48000)
    loud = np.abs(sound.samples).max(axis=0)
    assert (loud[: round(0.8 * 48000)] > 0.1).mean() > 0.5 and (loud[round(1.1 * 48000) : -4800] > 0.1).mean() > 0.5
