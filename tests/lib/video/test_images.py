"""Images of any depth, mode, profile and orientation are shown as they should look; what is no picture is named."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from lib.core.errors import InputError
from lib.inputs.probes import ImageSize, probe_image
from lib.video.images import read_image, write_image
from tests.lib.video.example_videos import smooth_video


@pytest.mark.parametrize("name", ["grey.png", "grey.tif"])
def test_grey_of_16_bits_is_the_same_grey_of_8(tmp_path: Path, name: str) -> None:
    """What Photoshop and GIMP save: not pure white, as a clip to 255 would make it."""
    grey = smooth_video(1)[0, :, :, 0]
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / name)
    assert np.array_equal(read_image(tmp_path / name), np.repeat(grey[..., None], 3, axis=2))


def test_numbers_with_fractions_are_refused_by_name(tmp_path: Path) -> None:
    """A depth map, or linear light: nobody can say how bright it should be."""
    Image.fromarray(np.linspace(0, 1, 48, dtype=np.float32).reshape(6, 8)).save(tmp_path / "depth.tif")
    with pytest.raises(InputError, match="depth.tif: found an image of numbers with fractions"):
        read_image(tmp_path / "depth.tif")


def test_a_colour_profile_is_converted_to_srgb(tmp_path: Path) -> None:
    """A picture exported in a wide profile keeps its look: its numbers are not taken as sRGB's."""
    grey = np.full((8, 8, 3), 128, np.uint8)
    picture = Image.fromarray(grey)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture.save(tmp_path / "srgb.png", icc_profile=srgb)
    assert np.array_equal(read_image(tmp_path / "srgb.png"), grey)
    picture.save(tmp_path / "wide.png", icc_profile=_with_gamma_1())
    assert (read_image(tmp_path / "wide.png") > 170).all(), "half of the light is a light grey in sRGB"
    picture.save(tmp_path / "broken.png", icc_profile=b"no profile")
    assert np.array_equal(read_image(tmp_path / "broken.png"), grey)


def _with_gamma_1() -> bytes:
    """Return sRGB's profile with its tone curves made straight lines: linear light."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for form in ("ascii", "utf-16-be"):
        profile = profile.replace("sRGB".encode(form), "flat".encode(form))
    for at in range(len(profile) - 16):
        if profile[at : at + 4] == b"para":
            kind = int.from_bytes(profile[at + 8 : at + 10], "big")
            size = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}[kind]
            values = [1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0][:size]
            content = b"".join(round(value * 65536).to_bytes(4, "big", signed=True) for value in values)
            profile[at + 12 : at + 12 + len(content)] = content
    return bytes(profile)


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", "I;16", "I"]
)
def test_every_mode_of_an_image_is_read(tmp_path: Path, mode: str) -> None:
    """Whatever an editor saves becomes (height, width, 3) uint8, or is no file that can hold that mode."""
    picture = Image.fromarray(smooth_video(1)[0])
    made = picture.convert("L").convert(mode) if mode in ("LA", "PA") else picture
    if mode in ("I;16", "I"):
        made = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    made = made.convert(mode)
    saved = 0
    # Pillow itself clips deep grey where a format has none.
    for suffix in ("png", "tif") if mode in ("I;16", "I") else ("png", "tif", "jpg", "webp", "bmp"):
        content = io.BytesIO()
        try:
            made.save(content, {"tif": "tiff", "jpg": "jpeg"}.get(suffix, suffix))
        except (OSError, KeyError, ValueError, TypeError):
            continue
        (tmp_path / f"a.{suffix}").write_bytes(content.getvalue())
        read = read_image(tmp_path / f"a.{suffix}")
        assert read.shape == (48, 64, 3) and read.dtype == np.uint8 and read.std() > 5
        saved += 1
    assert saved or mode in ("RGBX", "HSV", "PA")


@pytest.mark.parametrize("value", [1, 3, 6, 8, 0, 9, b"1", b"left"])
def test_check_and_reader_agree_on_orientation(tmp_path: Path, value: int | bytes) -> None:
    """One function reads it for both; what is no orientation, as a text that some editors write, is passed over."""
    Image.fromarray(smooth_video(1)[0]).save(tmp_path / "a.jpg", exif=_exif(value))
    height, width, _ = read_image(tmp_path / "a.jpg").shape
    assert probe_image(tmp_path / "a.jpg") == ImageSize(width, height)
    assert (width < height) == (value in (6, 8))


def _exif(orientation: int | bytes) -> bytes:
    """Return EXIF with an orientation as a number or as text (types SHORT and ASCII)."""
    if isinstance(orientation, bytes):
        text = (orientation + b"\0").ljust(4, b"\0")
        entry = struct.pack("<HHI", 0x0112, 2, len(text)) + (text if len(text) == 4 else struct.pack("<I", 26))
        more = b"" if len(text) == 4 else text
    else:
        entry, more = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0), b""
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 1) + entry + b"\0\0\0\0" + more


def test_user_images_are_read_upright_without_alpha(tmp_path: Path) -> None:
    """EXIF orientation is applied, transparency laid over black, grey made RGB."""
    picture = smooth_video(1)[0]
    write_image(tmp_path / "plain.png", picture)
    assert np.array_equal(read_image(tmp_path / "plain.png"), picture)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter to the right
    Image.fromarray(picture).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "turned.png"), np.rot90(picture, -1))
    Image.fromarray(np.full((4, 4, 2), 128, np.uint8), "LA").save(tmp_path / "alpha.png")
    assert np.abs(read_image(tmp_path / "alpha.png").astype(int) - 64).max() <= 1
