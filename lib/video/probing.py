"""What a video file says of itself: size, length, rate; and whether it is whole."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from lib.core.errors import InputError, Problem

COLORSPACE_UNSPECIFIED = 2  # FFmpeg's AVCOL_SPC_UNSPECIFIED

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


def probe_video(path: str | Path) -> VideoInfo:
    """Read size, length and rate of a video without decoding more than its first frame.

    Raises:
        InputError: not a video, no frames, or cut off before the end its index promises.
    """
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            if not container.streams.video:
                raise unusable(path, "a file without a video stream")
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1  # for one frame, starting threads takes longer than decoding it
            num_frames = _count_frames(path, container, stream)
            if num_frames == 0:
                raise unusable(path, "a video of zero frames")
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
        raise unusable(path, f"an unreadable video ({error.strerror or error})") from None


def unusable(path: str | Path, found: str, expected: str = "a video that PyAV can decode to its end") -> InputError:
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
        raise unusable(path, "a video of which no frame can be decoded")
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
            raise unusable(path, "a truncated video: its index points beyond the end of the file")
        return int(stream.frames)
    stated = (container.duration or 0) / av.time_base
    num_frames, end = 0, 0.0
    for packet in container.demux():
        num_frames += bool(packet.size) and packet.stream == stream
        if packet.pts is not None:
            end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    if end and stated - end > TRUNCATION_SECONDS:
        raise unusable(path, f"a truncated video: {end:.1f} s of the {stated:.1f} s that its header states")
    return num_frames


def _upright_size(frame: Any) -> tuple[int, int]:
    """Return (width, height) with the rotation metadata applied."""
    return (frame.height, frame.width) if frame.rotation % 180 else (frame.width, frame.height)


def _pixel_aspect(stream: Any, frame: Any) -> float:
    ratio = float(stream.sample_aspect_ratio or 1) or 1.0  # 0 means unknown
    return 1 / ratio if frame.rotation % 180 else ratio
