"""Still pictures in and out."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from lib.core.files import whole_file


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
