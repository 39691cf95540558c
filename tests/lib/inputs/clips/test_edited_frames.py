"""Edited frames and references: every mistake in them is told in the user's terms."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lib.inputs.clips.example_clips import HEIGHT, WIDTH, edit_problem, look, says, write_image


def test_no_first_frame_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """A format that is not read is shown among what is there."""
    folder = add()
    (folder / "first_frame.png").rename(folder / "first_frame.heic")
    problem = edit_problem(clips, add)
    assert says(
        problem, "car/edits/red", "no edited first frame (the folder holds first_frame.heic)", "first_frame.png"
    )


def test_two_first_frames_are_told(clips: Path, add: Callable[..., Path]) -> None:
    """It is not guessed which is meant."""
    write_image(add() / "first_frame.jpg")
    found = "2 edited first frames: first_frame.jpg, first_frame.png"
    assert says(edit_problem(clips, add), "car/edits/red", found, "one")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "tiff"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_a_truncated_image_is_told(clips: Path, add: Callable[..., Path], suffix: str, share: float) -> None:
    """A cut-off image is noticed in each format, though not all are decoded in full."""
    folder = add()
    (folder / "first_frame.png").unlink()
    path = write_image(folder / f"first_frame.{suffix}")
    path.write_bytes(path.read_bytes()[: max(10, int(path.stat().st_size * share))])
    place = f"car/edits/red/first_frame.{suffix}"
    assert says(edit_problem(clips, add), place, "image", "a whole PNG, JPEG, WebP, BMP or TIFF image")


def test_a_damaged_png_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """One wrong byte among the pixels: the checksum tells."""
    path = add() / "first_frame.png"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    assert says(edit_problem(clips, add), "car/edits/red/first_frame.png", "damaged or truncated", "a whole PNG")


def test_another_aspect_ratio_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """Both sizes are named."""
    write_image(add() / "first_frame.png", 64, 64)
    problem = edit_problem(clips, add)
    assert says(problem, "car/edits/red/first_frame.png", "64x64 pixels (1.000:1)", "64x48 pixels (1.333:1)")


def test_another_size_of_the_same_aspect_passes(clips: Path, add: Callable[..., Path]) -> None:
    """An edited frame may be larger than the source."""
    write_image(add() / "first_frame.png", 2 * WIDTH, 2 * HEIGHT)
    assert look(clips).problems == ()


@pytest.mark.parametrize("name", ["five", "5a", "-5", "5.0", "٥"])
def test_a_reference_without_index_is_told(clips: Path, add: Callable[..., Path], name: str) -> None:
    """Only plain digits are an index."""
    write_image(add() / "references" / f"{name}.png")
    problem = edit_problem(clips, add)
    assert says(problem, f"car/edits/red/references/{name}.png", f"'{name}', which is no whole number", "00024.png")


def test_a_reference_beyond_the_clip_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """The clip's last index is named."""
    write_image(add() / "references/00020.png")
    problem = edit_problem(clips, add)
    assert says(problem, "car/edits/red/references/00020.png", "index 20, beyond the clip", "20 frames, 0 to 19")


def test_a_reference_between_the_used_frames_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """The nearest frame that would do is named."""
    write_image(add() / "references/00010.png")
    problem = edit_problem(clips, add)
    assert says(problem, "car/edits/red/references/00010.png", "index 10", "frames 2, 5, 8, 11, 14 (nearest: 11)")


def test_a_reference_for_the_first_frame_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """It would say again, or otherwise, what first_frame.png says."""
    write_image(add() / "references/00002.png")
    problem = edit_problem(clips, add)
    assert says(problem, "car/edits/red/references/00002.png", "index 2", "a later frame, or no reference")


def test_two_references_for_one_index_are_told(clips: Path, add: Callable[..., Path]) -> None:
    """00005 and 5 are the same index."""
    folder = add()
    write_image(folder / "references/00005.png")
    write_image(folder / "references/5.png")
    problem = edit_problem(clips, add)
    assert says(problem, "car/edits/red/references/5.png", "a second file for index 5, beside 00005.png", "one")


def test_a_reference_of_another_aspect_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """References are held to the source as the first frame is."""
    write_image(add() / "references/00005.png", HEIGHT, WIDTH)
    assert says(edit_problem(clips, add), "car/edits/red/references/00005.png", "48x64", "64x48 pixels")


def test_a_truncated_reference_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """References are opened too."""
    path = write_image(add() / "references/00005.jpg")
    path.write_bytes(path.read_bytes()[:-200])
    assert says(edit_problem(clips, add), "car/edits/red/references/00005.jpg", "truncated", "a whole PNG")


def test_a_reference_that_is_no_image_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """Else it would be passed over in silence."""
    write_image(add() / "references/00005.png").rename(clips / "car/edits/red/references/00005.heic")
    assert says(edit_problem(clips, add), "car/edits/red/references/00005.heic", "no image", ".png")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("masks", "mask"),
        ("masks.mov", "mask.mov"),
        ("Mask", "mask"),
        ("reference", "references"),
        ("edit.yml", "edit.yaml"),
    ],
)
def test_a_nearly_right_name_is_told(clips: Path, add: Callable[..., Path], name: str, meant: str) -> None:
    """What the user plainly meant to count does not go by unnoticed."""
    (add() / name).mkdir()
    assert says(edit_problem(clips, add), f"car/edits/red/{name}", f"'{name}'", f"'{meant}'")
