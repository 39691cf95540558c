"""Read video with PyAV: a user's frames as players show them, and every frame of the files that we wrote."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from lib.video.arrays import DecodedVideo
from lib.video.probing import unusable


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
        raise unusable(path, f"a video unreadable after frame {position} ({error.strerror or error})") from None
    if len(pictures) < len(wanted):
        raise unusable(path, f"{position + 1} decodable frames", f"at least {max(wanted) + 1}")
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


def read_mask(path: str | Path) -> NDArray[np.bool_]:
    """Read a mask video that `write_mask` made: (frames, height, width), True = white = edit."""
    with av.open(str(path), metadata_errors="replace") as container:
        planes: NDArray[np.uint8] = np.stack([frame.to_ndarray(format="gray") for frame in container.decode(video=0)])
    return planes > 127


def _upright_rgb(frame: Any) -> NDArray[np.uint8]:
    if any(component.is_alpha for component in frame.format.components):
        rgba = frame.reformat(format="rgba").to_ndarray().astype(np.uint16)
        picture = (rgba[..., :3] * rgba[..., 3:] // 255).astype(np.uint8)
    else:
        picture = frame.reformat(format="rgb24").to_ndarray()
    return np.ascontiguousarray(np.rot90(picture, frame.rotation // 90))
