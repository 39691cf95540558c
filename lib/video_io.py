"""Read and write video and sound with PyAV; the only place that knows the two array layouts.

decoded video: (frames, height, width, 3) uint8 RGB.
model video:   (batch, 3, frames, height, width) float in [-1, 1].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from lib.errors import InputError, Problem
from lib.files import whole_file

if TYPE_CHECKING:
    import torch

DecodedVideo = NDArray[np.uint8]
CLOCK = 90_000  # ticks per second in the videos we write: 29.97 and 23.976 fps are whole numbers of ticks
COLORSPACE_UNSPECIFIED = 2  # FFmpeg's AVCOL_SPC_UNSPECIFIED
SOUND_GAP_SECONDS = 0.05
TRUNCATION_SECONDS = 0.25  # containers round durations and leave out the last frame's, but not by this much
HD_HEIGHT = 720  # pixels; untagged video of this height and above is taken as BT.709, below as BT.601


@dataclass(frozen=True)
class VideoInfo:
    """What a container says of its first video stream.

    Sizes are in stored pixels, upright: what an extracted frame has. `pixel_aspect` is the width of a pixel
    over its height; edited videos carry it on, so that they are shown as wide as their source.
    """

    width: int
    height: int
    num_frames: int
    fps: float
    rotation: int
    codec: str
    pixel_format: str
    has_audio: bool
    pixel_aspect: float = 1.0


@dataclass(frozen=True)
class Sound:
    """Samples (channels, num_samples) float32 in [-1, 1] at `rate` per second."""

    samples: NDArray[np.float32]
    rate: int


def probe_video(path: str | Path) -> VideoInfo:
    """Read size, length and rate of a video without decoding more than its first frame.

    Raises:
        InputError: not a video, no frames, or cut off before the end its index promises.
    """
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            if not container.streams.video:
                raise _unusable(path, "a file without a video stream")
            stream = container.streams.video[0]
            num_frames = _count_frames(path, container, stream)
            if num_frames == 0:
                raise _unusable(path, "a video of zero frames")
            frame = _first_frame(path)
            width, height = _upright_size(frame)
            return VideoInfo(
                width=width,
                height=height,
                num_frames=num_frames,
                fps=float(stream.average_rate or stream.guessed_rate or 25),
                rotation=frame.rotation,
                codec=stream.codec_context.name,
                pixel_format=frame.format.name,
                has_audio=bool(container.streams.audio),
                pixel_aspect=_pixel_aspect(stream, frame),
            )
    except (av.FFmpegError, OSError) as error:
        raise _unusable(path, f"an unreadable video ({error.strerror or error})") from None


def read_frames(path: str | Path, indices: Sequence[int]) -> tuple[DecodedVideo, list[float]]:
    """Decode the frames of the given 0-based indices, in rising order.

    Frames come upright (rotation metadata applied), as 8-bit RGB; transparent pixels are laid over black.

    Returns:
        The decoded video and each frame's time in seconds since the first frame of the file.

    Raises:
        InputError: the file ends, or cannot be decoded, before the last index.
    """
    wanted = set(indices)
    pictures, times = [], []
    origin, position = None, -1
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            for position, frame in enumerate(container.decode(stream)):
                time = frame.time if frame.time is not None else position / float(stream.average_rate or 25)
                origin = time if origin is None else origin
                if position in wanted:
                    pictures.append(_upright_rgb(frame))
                    times.append(time - origin)
                if len(pictures) == len(wanted):
                    break
    except (av.FFmpegError, OSError) as error:
        raise _unusable(path, f"a video unreadable after frame {position} ({error.strerror or error})") from None
    if len(pictures) < len(wanted):
        raise _unusable(path, f"{position + 1} decodable frames", f"at least {max(wanted) + 1}")
    return np.stack(pictures), times


def read_video(path: str | Path) -> DecodedVideo:
    """Decode every frame of a video that we wrote: (frames, height, width, 3) uint8 RGB."""
    with av.open(str(path), metadata_errors="replace") as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def read_first_frame(path: str | Path) -> NDArray[np.uint8]:
    """Decode frame 0 of a video or image that we wrote: (height, width, 3) uint8 RGB."""
    with av.open(str(path), metadata_errors="replace") as container:
        picture: NDArray[np.uint8] = np.asarray(next(container.decode(video=0)).to_ndarray(format="rgb24"), np.uint8)
        return picture


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """Read a user's image upright as (height, width, 3) uint8 RGB; transparent pixels are laid over black."""
    with Image.open(path) as opened:
        upright = ImageOps.exif_transpose(opened)
        if upright.has_transparency_data:
            layer = upright.convert("RGBA")
            upright = Image.alpha_composite(Image.new("RGBA", layer.size, "black"), layer)
        return np.array(upright.convert("RGB"))


def write_image(path: str | Path, picture: NDArray[np.uint8]) -> None:
    """Write (height, width, 3) uint8 RGB as PNG, whole or not at all."""
    with whole_file(path) as temporary:
        Image.fromarray(picture).save(temporary)


def read_mask(path: str | Path) -> NDArray[np.bool_]:
    """Read a mask video that `write_mask` made: (frames, height, width), True = white = edit."""
    with av.open(str(path), metadata_errors="replace") as container:
        planes: NDArray[np.uint8] = np.stack([frame.to_ndarray(format="gray") for frame in container.decode(video=0)])
    return planes > 127


def read_sound(path: str | Path, start: float = 0.0, end: float | None = None) -> Sound | None:
    """Decode the first audio stream between two times in seconds since the first video frame.

    Silence fills what the stream lacks, so that the sound is as long as asked; without an end, it is as long
    as the stream. None without a stream.
    """
    with av.open(str(path), metadata_errors="replace") as container:
        if not container.streams.audio:
            return None
        video_origin = _stream_start(container.streams.video[0])
        stream = container.streams.audio[0]
        rate = stream.rate
        num_channels = min(2, stream.channels)
        resampler = av.AudioResampler(format="fltp", layout="stereo" if num_channels == 2 else "mono", rate=rate)
        if end is None:
            end = float((container.duration or 0) / av.time_base)
        samples = np.zeros((num_channels, round((end - start) * rate)), np.float32)
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


def write_lossless(path: str | Path, video: DecodedVideo, times: Sequence[float], sound: Sound | None = None) -> None:
    """Write RGB frames without loss (FFV1, and 16-bit PCM sound) to a .mkv file."""
    pictures = (av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="bgr0") for picture in video)
    _write(path, pictures, video.shape[1:3], times, sound, ("ffv1", "bgr0", {}), "pcm_s16le")


def write_mask(path: str | Path, mask: NDArray[np.bool_], times: Sequence[float]) -> None:
    """Write a mask (frames, height, width) without loss (FFV1, grey): white = True = edit."""
    pictures = (av.VideoFrame.from_ndarray(plane.astype(np.uint8) * 255, format="gray") for plane in mask)
    _write(path, pictures, mask.shape[1:3], times, None, ("ffv1", "gray", {}), "")


def write_viewable(
    path: str | Path,
    video: DecodedVideo,
    times: Sequence[float],
    crf: int,
    sound: Sound | None = None,
    pixel_aspect: float = 1.0,
) -> None:
    """Write H.264 and AAC in .mp4, which every browser plays; lossy, for people to look at.

    Frame times are kept as given, so a variable frame rate stays one.
    """
    # The same pictures must give the same bytes: x264's output depends on its thread count, and with macroblock
    # trees (mbtree) one file in twenty differed from the others even with a fixed one.
    options = {"crf": str(crf), "preset": "medium", "threads": "2", "x264-params": "mbtree=0"}
    pictures = (_to_bt709(picture) for picture in video)
    _write(path, pictures, video.shape[1:3], times, sound, ("libx264", "yuv420p", options), "aac", pixel_aspect)


def to_model_video(video: DecodedVideo) -> "torch.Tensor":
    """Turn a decoded video into a model video (1, 3, frames, height, width) float32 in [-1, 1]."""
    import torch  # here, so that checking inputs before a run does not load torch

    _, _, _, channels = video.shape
    assert channels == 3
    pixels = torch.from_numpy(np.ascontiguousarray(video)).float()
    return (pixels / 127.5 - 1).permute(3, 0, 1, 2).unsqueeze(0)


def to_decoded_video(video: "torch.Tensor") -> DecodedVideo:
    """Turn a model video (1, 3, frames, height, width) into a decoded video; values outside [-1, 1] are clipped."""
    batch, channels, _, _, _ = video.shape
    assert (batch, channels) == (1, 3)
    pixels = ((video[0].float().clamp(-1, 1) + 1) * 127.5).round().byte()
    decoded: DecodedVideo = pixels.permute(1, 2, 3, 0).cpu().numpy()
    return decoded


def _unusable(path: str | Path, found: str, expected: str = "a video that PyAV can decode to its end") -> InputError:
    return InputError([Problem(str(path), found, expected)])


def _first_frame(path: str | Path) -> Any:
    """Decode frame 0 from a fresh start, since raw streams cannot be wound back."""
    with av.open(str(path), metadata_errors="replace") as container:
        frame = next(container.decode(video=0), None)
    if frame is None:
        raise _unusable(path, "a video of which no frame can be decoded")
    return frame


def _count_frames(path: str | Path, container: Any, stream: Any) -> int:
    """Count frames, and check that the file reaches as far as its index or its header says.

    Where there is no index, all packets are read (not decoded): formats such as Matroska state the duration,
    and a file that ends more than TRUNCATION_SECONDS before it has been cut off.
    """
    entries = stream.index_entries
    if stream.frames and len(entries):
        last = entries[len(entries) - 1]
        if last.pos + last.size > container.size:
            raise _unusable(path, "a truncated video: its index points beyond the end of the file")
        return int(stream.frames)
    stated = (container.duration or 0) / av.time_base
    num_frames, end = 0, 0.0
    for packet in container.demux():
        num_frames += bool(packet.size) and packet.stream == stream
        if packet.pts is not None:
            end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    if end and stated - end > TRUNCATION_SECONDS:
        raise _unusable(path, f"a truncated video: {end:.1f} s of the {stated:.1f} s that its header states")
    return num_frames


def _stream_start(stream: Any) -> float:
    return float((stream.start_time or 0) * stream.time_base)


def _upright_size(frame: Any) -> tuple[int, int]:
    """Return (width, height) with the rotation metadata applied."""
    return (frame.height, frame.width) if frame.rotation % 180 else (frame.width, frame.height)


def _pixel_aspect(stream: Any, frame: Any) -> float:
    ratio = float(stream.sample_aspect_ratio or 1) or 1.0  # 0 means unknown
    return 1 / ratio if frame.rotation % 180 else ratio


def _upright_rgb(frame: Any) -> NDArray[np.uint8]:
    if any(component.is_alpha for component in frame.format.components):
        rgba = frame.reformat(format="rgba").to_ndarray().astype(np.uint16)
        picture = (rgba[..., :3] * rgba[..., 3:] // 255).astype(np.uint8)
    else:
        untagged_hd = frame.colorspace == COLORSPACE_UNSPECIFIED and frame.height >= HD_HEIGHT
        matrix = "ITU709" if untagged_hd and not frame.format.is_rgb else None
        picture = frame.reformat(format="rgb24", src_colorspace=matrix).to_ndarray()
    return np.ascontiguousarray(np.rot90(picture, frame.rotation // 90))


def _to_bt709(picture: NDArray[np.uint8]) -> Any:
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    return frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")


def _write(
    path: str | Path,
    pictures: Any,
    size: tuple[int, ...],
    times: Sequence[float],
    sound: Sound | None,
    codec: tuple[str, str, dict[str, str]],
    sound_codec: str,
    pixel_aspect: float = 1.0,
) -> None:
    name, pixel_format, options = codec
    height, width = size
    mp4 = Path(path).suffix == ".mp4"
    with av.open(str(path), "w", options={"movflags": "faststart"} if mp4 else {}) as container:
        rate = _nominal_rate(times)
        stream: Any = container.add_stream(name, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.codec_context.sample_aspect_ratio = Fraction(pixel_aspect).limit_denominator(1000)
        stream.codec_context.time_base = stream.time_base = Fraction(1, CLOCK)
        if mp4:
            stream.codec_context.colorspace = stream.codec_context.color_primaries = 1  # BT.709
            stream.codec_context.color_trc, stream.codec_context.color_range = 1, 1  # BT.709, limited range
        sound_stream: Any = container.add_stream(sound_codec, rate=sound.rate) if sound else None
        if sound_stream is not None and sound is not None:
            sound_stream.layout = "stereo" if len(sound.samples) == 2 else "mono"
        for frame, time in zip(pictures, times, strict=True):
            frame.time_base, frame.pts = Fraction(1, CLOCK), round(time * CLOCK)
            frame.duration = round(CLOCK / rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound_stream is not None and sound is not None:
            _write_sound(container, sound_stream, sound)


def _write_sound(container: Any, stream: Any, sound: Sound) -> None:
    layout = "stereo" if len(sound.samples) == 2 else "mono"
    block = 1024  # samples in one AAC frame
    for start in range(0, sound.samples.shape[1], block):
        samples = np.ascontiguousarray(sound.samples[:, start : start + block])
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
        frame.rate, frame.pts, frame.time_base = sound.rate, start, Fraction(1, sound.rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _nominal_rate(times: Sequence[float]) -> Fraction:
    """Return the mean frame rate as a fraction that players know (24000/1001 and its like)."""
    if len(times) < 2:
        return Fraction(25)
    rate = (len(times) - 1) / (times[-1] - times[0])
    known = [Fraction(n) for n in range(1, 241)] + [Fraction(n * 1000, 1001) for n in (24, 30, 60, 120)]
    nearest = min(known, key=lambda candidate: abs(float(candidate) - rate))
    return nearest if abs(float(nearest) - rate) < 1e-3 * rate else Fraction(rate).limit_denominator(1001)
