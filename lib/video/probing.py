"""What a video file says of itself: size, length, rate; and whether it is whole."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from lib.video.orientation import AS_STORED, is_sideways, orientation_of_matrix
from lib.video.streams import decode, open_video, unusable
from lib.video.tone import TRANSFERS

COLORSPACE_UNSPECIFIED = 2  # FFmpeg's AVCOL_SPC_UNSPECIFIED
TRUNCATION_SECONDS = 0.25  # containers round durations and leave out the last frame's, but not by this much
USUAL_RATE = 25.0  # frames per second, of files that state none


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video's picture stream.

    Sizes are in stored pixels, upright: what an extracted frame has. `pixel_aspect` is the width of a pixel over its
    height. `has_colour_tags`: the file says which matrix turned RGB into YUV. Edited videos carry both on, so that
    players show them as they show their source. `orientation`: see `lib.video.orientation`. `transfer`: `hlg` or `pq`,
    a high dynamic range, which is read as a standard one; empty: that is what it is. `interlaced`: of two fields a
    frame, which are made one picture.
    """

    width: int
    height: int
    num_frames: int
    fps: float
    orientation: int
    codec: str
    pixel_format: str
    has_audio: bool
    pixel_aspect: float = 1.0
    has_colour_tags: bool = True
    transfer: str = ""
    interlaced: bool = False

    @property
    def shown_width(self) -> int:
        """Width in square pixels, at this height."""
        return round(self.width * self.pixel_aspect)


def probe_video(path: str | Path) -> VideoInfo:
    """Read size, length and rate of a video, decoding no more than it takes to be sure of them.

    Raises:
        InputError: not a video, no frames, turned by an odd angle, or cut off before the end its index promises.
    """
    try:
        with open_video(path) as (container, stream):
            stream.codec_context.thread_count = 1  # for one frame, starting threads takes longer than decoding it
            num_frames = _count_frames(path, container, stream)
            frame = _first_frame(path)
            orientation = orientation_of(path, frame)
            sideways = is_sideways(orientation)
            return VideoInfo(
                width=frame.height if sideways else frame.width,
                height=frame.width if sideways else frame.height,
                num_frames=num_frames,
                fps=rate_of(stream),
                orientation=orientation,
                codec=stream.codec_context.name,
                pixel_format=frame.format.name,
                has_audio=bool(container.streams.audio),
                pixel_aspect=_pixel_aspect(stream, sideways),
                has_colour_tags=frame.format.is_rgb or frame.colorspace != COLORSPACE_UNSPECIFIED,
                transfer=TRANSFERS.get(int(frame.color_trc), ""),
                interlaced=bool(frame.interlaced_frame),
            )
    except (av.FFmpegError, OSError) as error:
        raise unusable(path, f"an unreadable video ({error.strerror or error})") from None


def rate_of(stream: Any) -> float:
    """Return a stream's mean frame rate, a usual one where it states none that can be."""
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    return rate if 0 < rate <= 1000 else USUAL_RATE


def orientation_of(path: str | Path, frame: Any) -> int:
    """Return how a video's frames are to be shown.

    Raises:
        InputError: turned by an angle that is not a multiple of a quarter.
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    orientation = AS_STORED if matrix is None else orientation_of_matrix(bytes(matrix))
    if orientation is None:
        found = f"a video to be shown turned by {-frame.rotation} degrees, or sheared"
        raise unusable(path, found, "one that is turned by quarters, or not at all")
    return orientation


def _first_frame(path: str | Path) -> Any:
    """Decode frame 0."""
    with open_video(path) as (container, stream):  # anew: raw streams cannot be wound back
        frame = next(decode(container, stream), None)
        if frame is None:
            raise unusable(path, "a video of which no frame can be decoded")
        return frame


def _count_frames(path: str | Path, container: Any, stream: Any) -> int:
    """Count the frames that will decode, and check that the file reaches as far as its index or its header says.

    An index that begins with a whole picture tells; frames that an edit list hides do not count. Elsewhere all is
    decoded: a stream may begin in mid-GOP.
    """
    entries = list(stream.index_entries)
    shown = [entry for entry in entries if not entry.is_discard]
    if stream.frames and shown:
        last = max(entries, key=lambda entry: entry.pos)
        if last.pos + last.size > container.size:
            raise unusable(path, "a truncated video: its index points beyond the end of the file")
        if entries[0].is_keyframe:
            return len(shown)
    num_frames, end = _decode_all(path)
    stated = float((stream.duration or 0) * stream.time_base) or (container.duration or 0) / av.time_base
    if not num_frames:
        raise unusable(path, "a video of zero frames")
    if stated - end > TRUNCATION_SECONDS:
        raise unusable(path, f"a truncated video: {end:.1f} s of the {stated:.1f} s that its header states")
    return num_frames


def _decode_all(path: str | Path) -> tuple[int, float]:
    """Return how many frames decode, and how many seconds the file's packets reach."""
    num_frames = 0
    begin, end = float("inf"), 0.0
    with open_video(path) as (container, stream):
        stream.thread_type = "AUTO"
        for packet in container.demux():
            if packet.pts is not None:
                begin = min(begin, float(packet.pts * packet.time_base))
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            if packet.stream == stream:
                num_frames += len(packet.decode())
    return num_frames, end - min(begin, 0.0)


def _pixel_aspect(stream: Any, sideways: bool) -> float:
    ratio = float(stream.sample_aspect_ratio or 1) or 1.0  # 0 means unknown
    return 1 / ratio if sideways else ratio
