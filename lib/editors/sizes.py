"""Pictures brought to a size that a pipeline takes, and back to their own, so that every pixel keeps its place."""

from collections.abc import Callable

import cv2
import numpy as np

from lib.video.arrays import Picture


def edit_at_size(
    picture: Picture, multiple: int, megapixels: float | None, edit: Callable[[Picture], Picture]
) -> Picture:
    """Edit a picture at a size whose sides a number divides.

    Args:
        picture: (height, width, 3) uint8 RGB of any size.
        multiple: what must divide both sides, pixels.
        megapixels: the area to resize it to; None: it is not resized but padded with its own edge, and what was
            padded is cut off again.
        edit: is given the picture at that size, and returns one of that size.

    Returns:
        What was edited, at the picture's own size.
    """
    height, width, _ = picture.shape
    if megapixels is None:
        padding = ((0, -height % multiple), (0, -width % multiple), (0, 0))
        return np.ascontiguousarray(_checked(edit, np.pad(picture, padding, mode="edge"))[:height, :width])
    return _resized(
        _checked(edit, _resized(picture, *working_size(height, width, multiple, megapixels))), height, width
    )


def working_size(height: int, width: int, multiple: int, megapixels: float) -> tuple[int, int]:
    """Return the height and width nearest to an area and a shape that a number divides, in pixels."""
    scale = (megapixels * 1e6 / (height * width)) ** 0.5
    sides = (max(1, round(side * scale / multiple)) * multiple for side in (height, width))
    return next(sides), next(sides)


def _checked(edit: Callable[[Picture], Picture], shown: Picture) -> Picture:
    made = edit(shown)
    assert made.shape == shown.shape, f"shown {shown.shape}, made {made.shape}"
    return made


def _resized(picture: Picture, height: int, width: int) -> Picture:
    if picture.shape[:2] == (height, width):
        return picture
    shrinks = width < picture.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=method), np.uint8)
