"""How a stored picture is turned and mirrored to be shown: one notation for images and videos.

An orientation is EXIF's, 1 to 8 (Exif 2.32, tag 0x0112): 1 as stored, 2 mirrored left to right, 3 turned by half, 4
mirrored top to bottom; 5 to 8 the same on their sides.
"""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

AS_STORED = 1
SMALL = 0.02  # of the matrix's largest entry: beside it, an entry is rounding


def is_sideways(orientation: int) -> bool:
    """Tell whether width and height are exchanged."""
    return orientation >= 5


def upright(picture: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn and mirror a stored picture (height, width[, channels]) as it is to be shown."""
    turned = picture.swapaxes(0, 1) if is_sideways(orientation) else picture
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    return np.ascontiguousarray(turned)


def orientation_of_matrix(matrix: bytes) -> int | None:
    """Read a video's display matrix: nine 32-bit integers (ISO 14496-12, section 8.3.2).

    Returns:
        The orientation; None: an angle that is not a multiple of a quarter, or a shear.
    """
    a, b, _, c, d, *_ = struct.unpack("<9i", matrix)
    least = SMALL * max(abs(a), abs(b), abs(c), abs(d))
    if abs(b) <= least and abs(c) <= least and min(abs(a), abs(d)) > least:
        return {(True, True): 1, (False, True): 2, (False, False): 3, (True, False): 4}[a > 0, d > 0]
    if abs(a) <= least and abs(d) <= least and min(abs(b), abs(c)) > least:
        return {(True, True): 5, (True, False): 6, (False, False): 7, (False, True): 8}[b > 0, c > 0]
    return None
