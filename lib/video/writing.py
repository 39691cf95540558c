"""Write videos: without loss for what feeds a model, H.264 for people to look at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from lib.video.arrays import DecodedVideo
from lib.video.probing import VideoInfo
from lib.video.sound import Sound, add_sound_stream, write_sound

CLOCK = 90_000  # ticks per second in the videos we write: 29.97 and 23.976 fps are whole numbers of ticks

BT709 = 1  # FFmpeg's AVCOL_SPC_BT709, AVCOL_PRI_BT709 and AVCOL_TRC_BT709

LIMITED_RANGE = 1  # FFmpeg's AVCOL_RANGE_MPEG


@dataclass(frozen=True)
class _Format:
    """How a video is encoded; `bt709`: tag its colours so."""

    codec: str
    pixel_format: str
    options: dict[str, str]
    sound_codec: str
    pixel_aspect: float = 1.0
    bt709: bool = False


def write_lossless(path: str | Path, video: DecodedVideo, times: Sequence[float], sound: Sound | None = None) -> None:
    """Write RGB frames without loss (FFV1, and 16-bit PCM sound) to a .mkv file."""
    pictures = (av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="bgr0") for picture in video)
    _write(path, pictures, video.shape[1:3], times, sound, _Format("ffv1", "bgr0", {}, "pcm_s16le"))


def write_mask(path: str | Path, mask: NDArray[np.bool_], times: Sequence[float]) -> None:
    """Write a mask (frames, height, width) without loss (FFV1, grey): white = True = edit."""
    pictures = (av.VideoFrame.from_ndarray(plane.astype(np.uint8) * 255, format="gray") for plane in mask)
    _write(path, pictures, mask.shape[1:3], times, None, _Format("ffv1", "gray", {}, ""))


def write_viewable(
    path: str | Path,
    video: DecodedVideo,
    times: Sequence[float],
    crf: int,
    sound: Sound | None = None,
    source: VideoInfo | None = None,
) -> None:
    """Write H.264 and AAC in .mp4, which every browser plays; lossy, for people to look at.

    Frame times are kept as given, so a variable frame rate stays one. Pixel shape and colour tags are the source's,
    if it is given; else pixels are square and colours tagged as BT.709.
    """
    # The same pictures must give the same bytes: x264's output depends on its thread count, and with macroblock
    # trees (mbtree) one file in twenty differed from the others even with a fixed one.
    options = {"crf": str(crf), "preset": "medium", "threads": "2", "x264-params": "mbtree=0"}
    tagged = source is None or source.has_colour_tags
    pictures = (_to_yuv(picture, "ITU709" if tagged else "ITU601") for picture in video)
    pixel_aspect = source.pixel_aspect if source else 1.0
    form = _Format("libx264", "yuv420p", options, "aac", pixel_aspect, bt709=tagged)
    _write(path, pictures, video.shape[1:3], times, sound, form)


def _to_yuv(picture: NDArray[np.uint8], matrix: str) -> Any:
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    return frame.reformat(format="yuv420p", dst_colorspace=matrix, dst_color_range="MPEG")


def _write(
    path: str | Path,
    pictures: Iterator[Any],
    size: tuple[int, ...],
    times: Sequence[float],
    sound: Sound | None,
    form: _Format,
) -> None:
    height, width = size
    # Matroska names each file by a random number unless it is told to be exact: the same video must be the same bytes.
    options = {"movflags": "faststart"} if Path(path).suffix == ".mp4" else {"fflags": "+bitexact"}
    with av.open(str(path), "w", options=options) as container:
        rate = _nominal_rate(times)
        stream: Any = container.add_stream(form.codec, rate=rate, options=form.options)
        stream.width, stream.height, stream.pix_fmt = width, height, form.pixel_format
        context = stream.codec_context
        context.sample_aspect_ratio = Fraction(form.pixel_aspect).limit_denominator(1000)
        context.time_base = stream.time_base = Fraction(1, CLOCK)
        if form.bt709:
            context.colorspace = context.color_primaries = context.color_trc = BT709
            context.color_range = LIMITED_RANGE
        sound_stream = add_sound_stream(container, sound, form.sound_codec) if sound else None
        for frame, time in zip(pictures, times, strict=True):
            frame.time_base, frame.pts = Fraction(1, CLOCK), round(time * CLOCK)
            frame.duration = round(CLOCK / rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound:
            write_sound(container, sound_stream, sound)


def _nominal_rate(times: Sequence[float]) -> Fraction:
    """Return the mean frame rate as a fraction that players know (24000/1001 and its like)."""
    if len(times) < 2:
        return Fraction(25)
    rate = (len(times) - 1) / (times[-1] - times[0])
    known = [Fraction(n) for n in range(1, 241)] + [Fraction(n * 1000, 1001) for n in (24, 30, 60, 120)]
    nearest = min(known, key=lambda candidate: abs(float(candidate) - rate))
    return nearest if abs(float(nearest) - rate) < 1e-3 * rate else Fraction(rate).limit_denominator(1001)
