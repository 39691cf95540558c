"""The sound of a clip: cut to the edited frames, and written beside them."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

AAC_FRAME = 1024  # samples
SOUND_GAP_SECONDS = 0.05


@dataclass(frozen=True)
class Sound:
    """Samples (channels, num_samples) float32 in [-1, 1] at `rate` per second."""

    samples: NDArray[np.float32]
    rate: int


def read_sound(path: str | Path, start: float = 0.0, end: float | None = None) -> Sound | None:
    """Decode the first audio stream between two times in seconds since the first video frame.

    Silence fills what the stream lacks, so that the sound is as long as asked; without an end, it is as long
    as the stream. None without a stream.
    """
    with av.open(str(path), metadata_errors="replace") as container:
        if not container.streams.audio:
            return None
        video: Any = container.streams.video[0]
        video_origin = float((video.start_time or 0) * video.time_base)
        stream = container.streams.audio[0]
        rate = stream.rate
        samples = np.zeros((min(2, stream.channels), 0), np.float32)
        resampler = av.AudioResampler(format="fltp", layout=_layout(samples), rate=rate)
        if end is None:
            end = float((container.duration or 0) / av.time_base)
        samples = np.zeros((len(samples), round((end - start) * rate)), np.float32)
        position: int | None = None
        for frame in container.decode(stream):
            stated = round(((frame.time or 0.0) - video_origin - start) * rate)
            # Containers round times to milliseconds: samples follow on without clicks unless there is a real gap.
            if position is None or abs(stated - position) > SOUND_GAP_SECONDS * rate:
                position = stated
            for piece in resampler.resample(frame):
                values = piece.to_ndarray()
                first, last = max(0, -position), min(values.shape[1], samples.shape[1] - position)
                if last > first:
                    samples[:, position + first : position + last] = values[:, first:last]
                position += values.shape[1]
            if position >= samples.shape[1]:
                break
    return Sound(samples, rate)


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
