"""Edits that would change nothing are told before any job, alone; a second look at the same files is none."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib.inputs.clips import Batch, find_clips
from lib.masks.edit_checks import check_edits
from lib.video.reading import read_frames
from lib.video.writing import write_viewable
from tests.lib.video.example_videos import smooth_video

WIDE, TALL = 96, 48  # pixels of the source; the model's frames are 64x48, so that 16 are cut off on each side


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A clip with one good edit, which paints a box in the middle."""
    folder = tmp_path / "clips" / "car"
    folder.mkdir(parents=True)
    write_viewable(folder / "source.mp4", smooth_video(5, TALL, WIDE), [index / 25 for index in range(5)], crf=10)
    add_edit(tmp_path / "clips", "good", box=slice(40, 60))
    return tmp_path / "clips"


def add_edit(clips: Path, name: str, box: slice | None = None, position: int = 0) -> Path:
    """Add an edit whose first frame is the source's, with a box painted over some columns."""
    (picture,), _ = read_frames(clips / "car" / "source.mp4", [position])
    if box is not None:
        picture[14:34, box] = (20, 220, 40)
    folder = clips / "car" / "edits" / name
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(folder / "first_frame.png")
    return folder


def look(clips: Path, cache: Path | None = None) -> Batch:
    """Find and check the clips as a run of five frames of 64x48 pixels does."""
    found = find_clips(clips, num_frames=5, start=0, stride=1)
    assert not found.problems, found.problems
    return check_edits(found, width=64, height=48, threshold=6.0, cache=cache)


def write_masks(folder: Path, value: int, columns: slice) -> None:
    """Write masks for all frames with one value in some columns."""
    plane = np.zeros((TALL, WIDE), np.uint8)
    plane[10:30, columns] = value
    for index in range(5):
        (folder / "mask").mkdir(exist_ok=True)
        Image.fromarray(plane).save(folder / "mask" / f"{index:05d}.png")


def cut_hole(folder: Path, alpha: int) -> None:
    """Give the first frame an alpha channel, with a hole of 16x16 pixels."""
    picture = Image.open(folder / "first_frame.png").convert("RGBA")
    picture.paste((0, 0, 0, alpha), (0, 0, 16, 16))
    picture.save(folder / "first_frame.png")


def spoil_data(folder: Path) -> None:
    """Put data that is no picture in a PNG, with a checksum that fits: a look at checksums does not see it."""
    path = folder / "first_frame.png"
    content = path.read_bytes()
    at = content.index(b"IDAT")
    size = int.from_bytes(content[at - 4 : at], "big")
    data = b"\xff" * size
    path.write_bytes(
        content[: at + 4] + data + struct.pack(">I", zlib.crc32(b"IDAT" + data)) + content[at + 8 + size :]
    )


MIDDLE, EDGE = slice(40, 60), slice(0, 12)


@pytest.mark.parametrize(
    ("spoil", "found", "expected"),
    [
        (lambda clips: add_edit(clips, "bad"), "no difference from source frame 0", "was the unedited one saved?"),
        (lambda clips: add_edit(clips, "bad", EDGE), "changes only where the crop to 64x48", "33% are cut off at left"),
        (lambda clips: write_masks(add_edit(clips, "bad", MIDDLE), 1, MIDDLE), "brightest value is 1", "white (255)"),
        (lambda clips: write_masks(add_edit(clips, "bad", MIDDLE), 255, EDGE), "white only where the crop", "33%"),
        (lambda clips: cut_hole(add_edit(clips, "bad", MIDDLE), 0), "transparent in 5.6% of its pixels", "flattened"),
        (lambda clips: spoil_data(add_edit(clips, "bad", MIDDLE)), "pictures that cannot be read", "save them anew"),
    ],
    ids=["unedited", "cut off", "masks of ones", "mask cut off", "transparent", "damaged"],
)
def test_an_edit_of_nothing_is_told_and_leaves_its_sibling(
    clips: Path, spoil: Callable[[Path], object], found: str, expected: str
) -> None:
    """The problem names clip, edit and file, what was found and what would be right; the good edit is made."""
    spoil(clips)
    batch = look(clips)
    (problem,) = batch.problems
    assert (problem.clip, problem.edit) == ("car", "bad")
    assert found in problem.found and expected in problem.expected
    assert [edit.name for edit in batch.clips[0].edits] == ["good"]


def test_an_alpha_channel_without_holes_is_fine(clips: Path) -> None:
    """As editors save it; so are traces of transparency that nobody sees."""
    cut_hole(clips / "car" / "edits" / "good", 253)
    assert not look(clips).problems


def test_a_later_change_is_enough(clips: Path) -> None:
    """An edit whose look comes later may begin with the source's own first frame."""
    folder = add_edit(clips, "late")
    reference = add_edit(clips, "aside", box=slice(40, 60), position=3) / "first_frame.png"
    (folder / "references").mkdir()
    reference.rename(folder / "references" / "00003.png")
    reference.parent.rmdir()
    assert not look(clips).problems


def test_what_was_looked_at_is_remembered_until_a_file_changes(clips: Path, tmp_path: Path) -> None:
    """The cache answers for the same files and settings, and for no others."""
    cache = tmp_path / "checks.json"
    folder = add_edit(clips, "bad")
    assert len(look(clips, cache).problems) == 1
    cache.write_text(cache.read_text().replace("no difference from source frame 0", "what the cache says"))
    assert look(clips, cache).problems[0].found == "what the cache says"
    add_edit(clips, "bad", slice(40, 60))
    assert (folder / "first_frame.png").exists() and not look(clips, cache).problems
    cache.write_text("broken")
    assert not look(clips, cache).problems


def test_a_clip_of_nothing_but_such_edits_goes_too(clips: Path) -> None:
    """A clip without an edit that can be made is not run."""
    add_edit(clips, "good")
    batch = look(clips)
    assert not batch.clips and len(batch.problems) == 1
