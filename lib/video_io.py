"""Read and write video with PyAV; the only place that knows the two array layouts.

decoded video: (frames, height, width, 3) uint8 RGB.
model video:   (batch, 3, frames, height, width) float in [-1, 1].
"""

from collections.abc import Iterator, Sequence
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
from lib.sound import Sound, add_sound_stream, write_sound

if TYPE_CHECKING:
    import torch

DecodedVideo = NDArray[np.uint8]
CLOCK = 90_000  # ticks per second in the videos we write: 29.97 and 23.976 fps are whole numbers of ticks
BT709, COLORSPACE_UNSPECIFIED = 1, 2  # FFmpeg's AVCOL_SPC_BT709 (_PRI_ and _TRC_ too) and AVCOL_SPC_UNSPECIFIED
LIMITED_RANGE = 1  # FFmpeg's AVCOL_RANGE_MPEG
TRUNCATION_SECONDS = 0.25  # containers round durations and leave out the last frame's, but not by this much


@dataclass(frozen=True)
class VideoInfo:
    """What a container says of its first video stream.

    Sizes are in stored pixels, upright: what an extracted frame has. `pixel_aspect` is the width of a pixel
    over its height. `has_colour_tags`: the file says which matrix turned RGB into YUV. Edited videos carry both
    on, so that players show them as they show their source.
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
    has_colour_tags: bool = True


@dataclass(frozen=True)
class _Format:
    """How a video is encoded; `bt709`: tag its colours so."""

    codec: str
    pixel_format: str
    options: dict[str, str]
    sound_codec: str
    pixel_aspect: float = 1.0
    bt709: bool = False


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
            stream.codec_context.thread_count = 1  # for one frame, starting threads takes longer than decoding it
            num_frames = _count_frames(path, container, stream)
            if num_frames == 0:
                raise _unusable(path, "a video of zero frames")
            frame = _first_frame(path, container)
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
                has_colour_tags=frame.format.is_rgb or frame.colorspace != COLORSPACE_UNSPECIFIED,
            )
    except (av.FFmpegError, OSError) as error:
        raise _unusable(path, f"an unreadable video ({error.strerror or error})") from None


def read_frames(path: str | Path, indices: Sequence[int]) -> tuple[DecodedVideo, list[float]]:
    """Decode the frames of the given 0-based indices, in rising order.

    Frames come upright (rotation metadata applied), as 8-bit RGB; transparent pixels are laid over black. Video
    without colour tags is taken as BT.601 whatever its size, as FFmpeg and OpenCV take it: edited frames were most
    often made from frames that these extracted, and must match.

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


def _first_frame(path: str | Path, container: Any) -> Any:
    """Decode frame 0 of a container that has been read; raw streams cannot be wound back and are opened anew."""
    try:
        container.seek(0)
    except OSError:
        with av.open(str(path), metadata_errors="replace") as fresh:
            frame = next(fresh.decode(video=0), None)
    else:
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
        picture = frame.reformat(format="rgb24").to_ndarray()
    return np.ascontiguousarray(np.rot90(picture, frame.rotation // 90))


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
