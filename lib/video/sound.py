"""The sound of a clip: cut to the edited frames, and written beside them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from lib.video.streams import decode, open_video

AAC_FRAME = 1024  # samples
SOUND_GAP_SECONDS = 0.05


@dataclass(frozen=True)
class Sound:
    """Samples (channels, num_samples) float32 in [-1, 1] at `rate` per second."""

    samples: NDArray[np.float32]
    rate: int


def read_sound(
    path: str | Path, start: float = 0.0, end: float | None = None, tell: Callable[[str], object] = print
) -> Sound | None:
    """Decode the first audio stream between two times in seconds since the first frame that is shown.

    Silence fills what the stream lacks, or what of it cannot be decoded, so that the sound is as long as asked; without
    an end, it is as long as the stream. A sound that changes its channels or rate goes on as it began.

    Args:
        path: of a video.
        start, end: in seconds.
        tell: takes a line on what was left out.

    Returns:
        The sound; None without a stream that can be decoded.
    """
    try:
        return _read_sound(path, start, end, tell)
    except (av.FFmpegError, OSError, ValueError) as error:  # a video is worth more than its sound
        tell(f"its sound cannot be read ({error}): the video goes without")
        return None


def _read_sound(path: str | Path, start: float, end: float | None, tell: Callable[[str], object]) -> Sound | None:
    with open_video(path) as (container, video):
        if not container.streams.audio or container.streams.audio[0].codec_context is None:
            return None
        origin = _first_time(path, video)
        stream = container.streams.audio[0]
        if end is None:
            end = float((container.duration or 0) / av.time_base)
        rate = stream.rate
        samples = np.zeros((min(2, stream.channels), max(0, round((end - start) * rate))), np.float32)
        position: int | None = None
        for time, values in _pieces(_decodable(container, stream, tell), _layout(samples), rate):
            follows = position if position is not None else 0
            stated = follows if time is None else round((time - origin - start) * rate)
            # Containers round times to milliseconds: samples follow on without clicks unless there is a real gap.
            has_gap = position is None or abs(stated - follows) > SOUND_GAP_SECONDS * rate
            position = stated if has_gap else follows
            first, last = max(0, -position), min(values.shape[1], samples.shape[1] - position)
            if last > first:
                samples[:, position + first : position + last] = values[:, first:last]
            position += values.shape[1]
            if position >= samples.shape[1]:
                break
    return Sound(samples, rate)


def _first_time(path: str | Path, video: Any) -> float:
    """Return when the first frame is shown, in seconds of the file's clock."""
    with open_video(path) as (container, stream):
        frame = next(decode(container, stream), None)
    if frame is not None and frame.time is not None:
        return float(frame.time)
    return float((video.start_time or 0) * video.time_base)


def _pieces(frames: Iterable[Any], layout: str, rate: int) -> Iterator[tuple[float | None, NDArray[np.float32]]]:
    """Turn audio frames into samples (channels, number) of one layout and rate, each piece with its time in seconds."""
    resampler, form = None, None
    for frame in frames:
        its_form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if its_form != form:  # at the beginning, and where one programme follows another
            resampler, form = av.AudioResampler(format="fltp", layout=layout, rate=rate), its_form
        assert resampler is not None
        time = frame.time
        for piece in resampler.resample(frame):
            yield time, np.asarray(piece.to_ndarray(), np.float32)
            time = None  # the rest follows on


def _decodable(container: Any, stream: Any, tell: Callable[[str], object]) -> Iterator[Any]:
    """Decode packet by packet: one that is damaged leaves a gap, and no more."""
    is_told = False
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.FFmpegError:
            if not is_told:
                tell("parts of its sound cannot be decoded: silence stands there")
            is_told = True


def add_sound_stream(container: Any, sound: Sound, codec: str) -> Any:
    """Add a stream for `sound` to a container that is being written, before its first packet."""
    stream = container.add_stream(codec, rate=sound.rate)
    stream.layout = _layout(sound.samples)
    return stream


def write_sound(container: Any, stream: Any, sound: Sound) -> None:
    """Encode all samples into a stream that `add_sound_stream` made, and finish it."""
    for start in range(0, sound.samples.shape[1], AAC_FRAME):
        samples = np.ascontiguousarray(sound.samples[:, start : start + AAC_FRAME])
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=_layout(sound.samples))
        frame.rate, frame.pts, frame.time_base = sound.rate, start, Fraction(1, sound.rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _layout(samples: NDArray[np.float32]) -> str:
    return "stereo" if len(samples) == 2 else "mono"
