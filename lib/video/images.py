"""Still pictures in and out: whatever a user's file holds, shown as it should look."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from lib.core.errors import InputError, Problem
from lib.core.files import whole_file
from lib.video.orientation import AS_STORED, upright

IMAGE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
WHOLE_IMAGE = "a whole PNG, JPEG, WebP, BMP or TIFF image"
ORIENTATION = 0x0112  # EXIF tag
DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I")  # whole numbers of more than 8 bits
OPAQUE = 250  # of 255; editors leave a trace less than all
COLOUR_MODES = ("RGB", "RGBA", "RGBX", "CMYK", "LAB", "L", "LA")  # of which a colour profile may speak


def orientation_of(image: Image.Image) -> int:
    """Return how an opened image is to be shown, see `lib.video.orientation`; what is no such number is passed over.

    Pillow turns a TIFF upright by itself, and asking a file without EXIF for it would decode all of it.
    """
    value = image.getexif().get(ORIENTATION) if "exif" in image.info else None
    return value if isinstance(value, int) and AS_STORED <= value <= 8 else AS_STORED


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """Read a user's image upright as (height, width, 3) uint8 RGB, in sRGB; transparent pixels are laid over black.

    Raises:
        InputError: values that are no levels of light, such as a depth map's, or a palette that is damaged.
    """
    with Image.open(path, formats=IMAGE_FORMATS) as opened:
        orientation = orientation_of(opened)
        picture = np.array(_as_rgb(path, opened))
    return upright(picture, orientation)


def transparent_share(path: str | Path) -> float:
    """Return the share of an image's pixels, 0 to 1, through which something else would show."""
    with Image.open(path, formats=IMAGE_FORMATS) as opened:
        if not opened.has_transparency_data:
            return 0.0
        return float((np.asarray(opened.convert("RGBA"))[..., 3] < OPAQUE).mean())


def _as_rgb(path: str | Path, image: Image.Image) -> Image.Image:
    """Bring any mode of Pillow's to RGB as it should look."""
    if image.mode in DEEP_MODES:
        return Image.fromarray(_levels(path, np.asarray(image))).convert("RGB")
    if image.mode == "F":
        raise _no_levels(path, "an image of numbers with fractions (a depth map, or linear light)")
    if image.has_transparency_data:
        layer = _in_srgb(image.convert("RGBA"), image.info.get("icc_profile"))
        return Image.alpha_composite(Image.new("RGBA", layer.size, "black"), layer).convert("RGB")
    profiled = image if image.mode in COLOUR_MODES else image.convert("RGB")
    return _in_srgb(profiled, image.info.get("icc_profile")).convert("RGB")


def _levels(path: str | Path, values: NDArray[Any]) -> NDArray[np.uint8]:
    """Turn grey of 16 bits into grey of 8."""
    if values.min() < 0 or values.max() > 65535:
        raise _no_levels(path, f"values from {values.min()} to {values.max()}")
    return np.asarray((values.astype(np.uint32) + 128) // 257, np.uint8)


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert an image with a colour profile to sRGB; a profile that nothing can read is passed over, as viewers do."""
    if not profile:
        return image
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(given).lower():
            return image
        converted = ImageCms.profileToProfile(image, given, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        print(f"a colour profile that cannot be used ({error}): taken as sRGB")
        return image
    return converted or image


def _no_levels(path: str | Path, found: str) -> InputError:
    return InputError([Problem(str(path), found, "a picture of 8 or 16 bits")])


def write_image(path: str | Path, picture: NDArray[np.uint8]) -> None:
    """Write (height, width, 3) uint8 RGB as PNG, whole or not at all."""
    with whole_file(path) as temporary:
        Image.fromarray(picture).save(temporary)
