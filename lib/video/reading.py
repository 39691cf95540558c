"""Read video with PyAV: a user's frames as players show them, and every frame of the files that we wrote."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

from lib.video.arrays import DecodedVideo
from lib.video.orientation import upright
from lib.video.probing import orientation_of, rate_of
from lib.video.streams import decode, open_video, unusable
from lib.video.times import rising
from lib.video.tone import TRANSFERS, to_standard_range

Fit = Callable[[NDArray[Any]], NDArray[Any]]
"""Brings a picture (height, width, 3) to the size that is asked for."""


def as_it_is(picture: NDArray[Any]) -> NDArray[Any]:
    """Leave a picture at its own size."""
    return picture


def read_frames(path: str | Path, indices: Sequence[int], fit: Fit = as_it_is) -> tuple[DecodedVideo, list[float]]:
    """Decode the frames of the given 0-based indices, in rising order.

    Frames come as players show them: upright, deinterlaced, of a standard range of brightness, as 8-bit RGB;
    transparent pixels are laid over black. Video without colour tags is taken as BT.601 whatever its size, as FFmpeg
    and OpenCV take it: edited frames were most often made from frames that these extracted, and must match.

    Args:
        path: of the video.
        indices: of frames.
        fit: applied to each frame as it comes, so that memory holds no more than what it returns.

    Returns:
        The decoded video and each frame's time in seconds since the first frame of the file; times rise, whatever the
        file says.

    Raises:
        InputError: the file ends, cannot be decoded, or changes its size, before the last index.
    """
    wanted, last = set(indices), max(indices)
    pictures: list[NDArray[np.uint8]] = []
    times: list[float | None] = []
    try:
        with open_video(path) as (container, stream):
            stream.thread_type = "AUTO"
            interval = 1 / rate_of(stream)
            for position, frame in enumerate(_frames(container, stream)):
                times.append(frame.time)
                if position in wanted:
                    pictures.append(_as_shown(path, frame, fit))
                    _check_size(path, position, pictures)
                if position == last:
                    break
    except (av.FFmpegError, OSError) as error:
        raise unusable(path, f"a video unreadable after frame {len(times) - 1} ({error.strerror or error})") from None
    if len(pictures) < len(wanted):
        raise unusable(path, f"{len(times)} decodable frames", f"at least {last + 1}")
    made = rising(times, interval)
    return np.stack(pictures), [made[index] for index in sorted(wanted)]


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    """Decode a stream, and make one picture of the two fields of each frame that is interlaced."""
    frames = decode(container, stream)
    first = next(frames, None)
    if first is None:
        return
    everything = chain([first], frames)
    if first.interlaced_frame:
        yield from _deinterlaced(everything, first, stream)
    else:
        yield from everything


def _deinterlaced(frames: Iterator[Any], first: Any, stream: Any) -> Iterator[Any]:
    """Send frames through FFmpeg's bwdif, which leaves progressive ones as they are."""
    graph = Graph()
    source = graph.add_buffer(
        width=first.width, height=first.height, format=first.format, time_base=first.time_base or stream.time_base
    )
    graph.link_nodes(
        source, graph.add("bwdif", "mode=send_frame:deint=interlaced"), graph.add("buffersink")
    ).configure()
    for frame in chain(frames, [None]):
        graph.push(frame)
        yield from _pulled(graph)


def _pulled(graph: Any) -> Iterator[Any]:
    while True:
        try:
            yield graph.pull()
        except (av.BlockingIOError, av.EOFError):  # it wants another frame, or there are no more
            return


def _as_shown(path: str | Path, frame: Any, fit: Fit) -> NDArray[np.uint8]:
    """Turn a decoded frame into a picture (height, width, 3) as players show it, brought to size."""
    orientation, transfer = orientation_of(path, frame), TRANSFERS.get(int(frame.color_trc))
    if transfer:
        signal = frame.reformat(format="rgb48le").to_ndarray()
        return to_standard_range(fit(upright(signal, orientation)), transfer)
    if any(component.is_alpha for component in frame.format.components):
        rgba = frame.reformat(format="rgba").to_ndarray().astype(np.uint16)
        picture = (rgba[..., :3] * rgba[..., 3:] // 255).astype(np.uint8)
    else:
        picture = frame.reformat(format="rgb24").to_ndarray()
    return fit(upright(picture, orientation))


def _check_size(path: str | Path, position: int, pictures: Sequence[NDArray[np.uint8]]) -> None:
    first, last = pictures[0].shape[:2], pictures[-1].shape[:2]
    if first != last:
        found = f"a size that changes: {first[1]}x{first[0]} pixels, and {last[1]}x{last[0]} from frame {position} on"
        raise unusable(path, found, "one size for the whole video")


def read_video(path: str | Path) -> DecodedVideo:
    """Decode every frame of a video that we wrote: (frames, height, width, 3) uint8 RGB."""
    with av.open(str(path), metadata_errors="replace") as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def read_first_frame(path: str | Path) -> NDArray[np.uint8]:
    """Decode frame 0 of a video or image that we wrote: (height, width, 3) uint8 RGB."""
    with av.open(str(path), metadata_errors="replace") as container:
        picture: NDArray[np.uint8] = np.asarray(next(container.decode(video=0)).to_ndarray(format="rgb24"), np.uint8)
        return picture


def read_mask(path: str | Path) -> NDArray[np.bool_]:
    """Read a mask video that `write_mask` made: (frames, height, width), True = white = edit."""
    with av.open(str(path), metadata_errors="replace") as container:
        planes: NDArray[np.uint8] = np.stack([frame.to_ndarray(format="gray") for frame in container.decode(video=0)])
    return planes > 127
