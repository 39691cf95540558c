"""Which source frames are edited, and how pictures are brought to the model's size."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lib.errors import InputError, Problem
from lib.sound import Sound, read_sound
from lib.video_io import DecodedVideo, probe_video, read_frames, read_image

MAX_ASPECT_DIFFERENCE = 0.01
"""Relative; image tools round to multiples of 8 or 16 pixels, which stays below this."""


@dataclass(frozen=True)
class Crop:
    """A cover-resize to (height, width) and the offset of the centre crop within it, all in pixels."""

    resized_height: int
    resized_width: int
    top: int
    left: int
    height: int
    width: int


def sample_indices(start: int, stride: int, num_frames: int) -> list[int]:
    """Return the 0-based source indices of the frames to edit."""
    return list(range(start, start + stride * num_frames, stride))


def plan_crop(source_height: int, source_width: int, width: int, height: int) -> Crop:
    """Plan the least resize that covers the target, then a centre crop.

    Args:
        source_height, source_width: of the source, as displayed, in pixels.
        width, height: the target for landscape sources; a portrait source swaps them.
    """
    if source_height > source_width:
        width, height = height, width
    scale = max(width / source_width, height / source_height)
    resized_width = max(width, round(source_width * scale))
    resized_height = max(height, round(source_height * scale))
    top, left = (resized_height - height) // 2, (resized_width - width) // 2
    return Crop(resized_height, resized_width, top, left, height, width)


def apply_crop(picture: NDArray[Any], crop: Crop, nearest: bool = False) -> NDArray[Any]:
    """Resize and crop one picture (height, width[, channels]) of any size whose aspect ratio is the source's.

    `nearest` keeps a mask's values whole. Area averaging avoids aliasing when shrinking.
    """
    shrinks = picture.shape[1] > crop.resized_width
    method = cv2.INTER_NEAREST if nearest else cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    if picture.shape[:2] != (crop.resized_height, crop.resized_width):
        picture = cv2.resize(picture, (crop.resized_width, crop.resized_height), interpolation=method)
    return np.ascontiguousarray(picture[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width])


def same_aspect(width: int, height: int, other_width: int, other_height: int) -> bool:
    """Tell whether two sizes in pixels have the same aspect ratio, but for rounding by an image tool."""
    return abs(width * other_height / (height * other_width) - 1) <= MAX_ASPECT_DIFFERENCE


def extract_frames(
    source: str | Path, num_frames: int, width: int, height: int, start: int, stride: int
) -> tuple[DecodedVideo, Sound | None, dict[str, Any]]:
    """Sample a source video, resize and crop it.

    Args:
        source: any video that PyAV decodes.
        num_frames, start, stride: see `sample_indices`.
        width, height: see `plan_crop`, in pixels.

    Returns:
        The video (frames, height, width, 3); its sound over the same time; and the facts kept beside it:
        fps, indices, times in seconds from 0, crop, and what the source is.
    """
    info = probe_video(source)
    indices = sample_indices(start, stride, num_frames)
    frames, source_times = read_frames(source, indices)
    crop = plan_crop(info.height, info.width, width, height)
    video = np.stack([apply_crop(frame, crop) for frame in frames])
    interval = stride / info.fps
    sound = read_sound(source, source_times[0], source_times[-1] + interval)
    facts = {
        "fps": info.fps / stride,
        "indices": indices,
        "times": [round(time - source_times[0], 6) for time in source_times],
        "width": crop.width,
        "height": crop.height,
        "crop": asdict(crop),
        "source": asdict(info),
    }
    return video, sound, facts


def align_edited_frame(path: str | Path, crop: Mapping[str, int]) -> NDArray[np.uint8]:
    """Read an edited frame of any size and bring it to the source's crop; see `Crop` for its keys.

    Raises:
        InputError: another aspect ratio than the source's.
    """
    picture, plan = read_image(path), Crop(**crop)
    height, width = picture.shape[:2]
    if not same_aspect(width, height, plan.resized_width, plan.resized_height):
        expected = f"the aspect ratio of {plan.resized_width}x{plan.resized_height}"
        raise InputError([Problem(str(path), f"{width}x{height} pixels", expected)])
    return apply_crop(picture, plan)


def read_references(folder: str | Path, indices: Sequence[int]) -> dict[int, NDArray[np.uint8]]:
    """Read aligned references, named by source index, as pictures by their position among the sampled frames."""
    paths = sorted(Path(folder).glob("*.png"))
    return {indices.index(int(path.stem)): read_image(path) for path in paths}


def read_user_mask(
    paths: Sequence[str | Path], mask_indices: Sequence[int], indices: Sequence[int], crop: Mapping[str, int]
) -> NDArray[np.bool_]:
    """Read a user's own masks, white = edit, and bring them to the source's crop.

    Args:
        paths: mask images of the source's size; or one mask video, whose frames are those of the source.
        mask_indices: source frame index of each image, among them all of `indices`; empty: `paths` is one video.
        indices: of the sampled frames.
        crop: see `Crop` for its keys.

    Returns:
        (frames, height, width), True where the image is brighter than mid-grey.
    """
    if mask_indices:
        by_index = dict(zip(mask_indices, paths, strict=True))
        pictures = [read_image(by_index[index]) for index in indices]
    else:
        (video,) = paths
        pictures = list(read_frames(video, indices)[0])
    planes = [apply_crop(picture.max(axis=2), Crop(**crop), nearest=True) for picture in pictures]
    mask: NDArray[np.bool_] = np.stack(planes) > 127
    return mask
