"""What a user made for frames of a clip, brought to the model's crop: edited frames, masks, videos of other tools."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.core.errors import InputError, Problem
from lib.video.arrays import DecodedVideo
from lib.video.crops import Crop, apply_crop, same_aspect
from lib.video.images import read_image
from lib.video.reading import read_frames


def align_edited_frame(path: str | Path, crop: Mapping[str, int], pixel_aspect: float = 1.0) -> NDArray[np.uint8]:
    """Read an edited frame of any size and bring it to the source's crop.

    Args:
        path: of the picture.
        crop: see `Crop` for its keys.
        pixel_aspect: of the source; the picture may have the shape that players show, with square pixels.

    Raises:
        InputError: another aspect ratio than the source's.
    """
    picture, plan = read_image(path), Crop(**crop)
    height, width = picture.shape[:2]
    shown_width = round(plan.resized_width * pixel_aspect)
    if not any(same_aspect(width, height, wide, plan.resized_height) for wide in (plan.resized_width, shown_width)):
        expected = f"the aspect ratio of {plan.resized_width}x{plan.resized_height}"
        raise InputError([Problem(str(path), f"{width}x{height} pixels", expected)])
    return apply_crop(picture, plan)


def plan_fit(width: int, height: int, crop: Crop, pixel_aspect: float = 1.0) -> Crop | None:
    """Plan how frames that another tool made for a clip come to the size of the run's.

    Args:
        width, height: of its frames, in pixels: of the source's shape, as stored or as players show it, and then
            cropped as the source is; or of the shape of the run's frames, which are cropped already.
        crop: of the source. pixel_aspect: of the source.

    Returns:
        None: they have another shape, so that what they show cannot be known.
    """
    whole = Crop(crop.height, crop.width, 0, 0, crop.height, crop.width)
    if (width, height) == (crop.width, crop.height):
        return whole
    shown_width = round(crop.resized_width * pixel_aspect)
    if any(same_aspect(width, height, wide, crop.resized_height) for wide in (crop.resized_width, shown_width)):
        return crop
    return whole if same_aspect(width, height, crop.width, crop.height) else None


def read_outside(
    path: str | Path, frames: Sequence[int], crop: Mapping[str, int], pixel_aspect: float = 1.0
) -> DecodedVideo:
    """Read a video that another tool made for a clip, with the clip's number and size of frames.

    Args:
        path: of the video.
        frames: see `lib.video.frame_matching.Match`.
        crop: of the source, see `Crop` for its keys. pixel_aspect: of the source.

    Raises:
        InputError: it ends too early, or its frames have another shape than the clip's.
    """

    def fit(picture: NDArray[Any]) -> NDArray[Any]:
        height, width = picture.shape[:2]
        plan = plan_fit(width, height, Crop(**crop), pixel_aspect)
        if plan is None:
            expected = f"the shape of the source or of {crop['width']}x{crop['height']}"
            raise InputError([Problem(str(path), f"frames of {width}x{height} pixels", expected)])
        return apply_crop(picture, plan)

    wanted = sorted(set(frames))
    pictures, _ = read_frames(path, wanted, fit)
    return pictures[[wanted.index(frame) for frame in frames]]


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
