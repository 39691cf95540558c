"""How pictures are brought to the model's size: a cover-resize, then a centre crop."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

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
    return cut_out(picture, crop)


def uncropped(crop: Crop) -> Crop:
    """Return the same resize with nothing cut off."""
    return Crop(crop.resized_height, crop.resized_width, 0, 0, crop.resized_height, crop.resized_width)


def cut_out(picture: NDArray[Any], crop: Crop) -> NDArray[Any]:
    """Return what a crop leaves of a picture that was resized without it."""
    return np.ascontiguousarray(picture[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width])


def same_aspect(width: int, height: int, other_width: int, other_height: int) -> bool:
    """Tell whether two sizes in pixels have the same aspect ratio, but for rounding by an image tool."""
    return abs(width * other_height / (height * other_width) - 1) <= MAX_ASPECT_DIFFERENCE
