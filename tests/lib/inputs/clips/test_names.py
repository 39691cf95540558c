"""Nearly any name will do; what cannot be shown, and links that would lead astray, is told; problems are collected."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.core.names import name_of
from lib.core.text import printable
from lib.inputs.ids import OF_CLIPS, OF_EDITS, make_ids
from tests.lib.inputs.clips.example_clips import (
    clip_problem,
    look,
    only_problem,
    says,
    write_image,
    write_video,
)
from tests.odd_names import ODD_NAMES


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_work(clips: Path, add: Callable[..., Path], name: str) -> None:
    """Any name that a folder can have is fine, for clips and edits; only their ids stand in paths."""
    add(name, name)
    batch = look(clips)
    assert batch.problems == ()
    ((clip, edit),) = [(clip, clip.edits[0]) for clip in batch.clips]
    assert (clip.name, edit.name) == (name, name)
    assert (clip.id, edit.id) == (*make_ids([name], OF_CLIPS), *make_ids([name], OF_EDITS))
    assert name_of(batch.names, clip.id) == name_of(batch.names, clip.id, edit.id) == printable(name)


def test_names_that_look_alike_have_two_ids(clips: Path, add: Callable[..., Path]) -> None:
    """Where the file system tells them apart; an edit that cannot be run changes nobody's id."""
    names = ["Car", "car", "caf\u00e9", "cafe\u0301"]
    for name in names:
        add("clip", name)
    found = [edit.name for edit in look(clips).clips[0].edits]
    if sorted(found) != sorted(names):
        pytest.skip("this file system takes some of the names for one")
    known = {edit.name: edit.id for edit in look(clips).clips[0].edits}
    assert len({its_id.lower() for its_id in known.values()}) == 4
    (clips / "clip" / "edits" / "car" / "first_frame.png").write_bytes(b"junk")
    left = {edit.name: edit.id for edit in look(clips).clips[0].edits}
    assert left == {name: its_id for name, its_id in known.items() if name != "car"}


def test_a_name_that_is_not_utf8_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """Old archives unpack to such names; they can be neither printed nor stored."""
    add("good")
    try:
        (clips / "good").rename(clips / os.fsdecode(b"caf\xe9"))
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    batch = look(clips, clips.parent / "cache.json")
    assert batch.clips == ()
    assert only_problem(batch).clip == "caf\\udce9"


def test_a_name_of_blanks_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """It could not be seen anywhere."""
    add("  ")
    assert says(only_problem(look(clips)), "  ", "a name of blanks", "a name that can be read")


@pytest.mark.parametrize("name", ["a{b}", "{ x.y }", "{w,[a-z]+}"])
def test_what_snakemake_takes_for_a_wildcard_is_told(clips: Path, add: Callable[..., Path], name: str) -> None:
    """Once for each clip or edit whose files it would look for elsewhere."""
    add(name, "red")
    add("good", name)
    add("good", "fine")
    batch = look(clips)
    assert [(clip.name, [edit.name for edit in clip.edits]) for clip in batch.clips] == [("good", ["fine"])]
    assert {problem.edit for problem in batch.problems} == {None, "red", name}
    assert all(f"'{name.lstrip('a')}' in a path" in problem.found for problem in batch.problems)


@pytest.mark.parametrize(
    "place",
    [
        "car",
        "car/source.mp4",
        "car/edits",
        "car/edits/red",
        "car/edits/red/first_frame.png",
        "car/edits/red/references",
    ],
)
def test_links_that_leave_the_folder_are_told(clips: Path, add: Callable[..., Path], place: str) -> None:
    """A link is refused where it stands, and nothing else is said of what it hides."""
    write_image(add() / "references/00005.png")
    outside = clips.parent / f"outside{Path(place).suffix}"
    (clips / place).rename(outside)
    (clips / place).symlink_to(outside)
    batch = look(clips)
    assert batch.clips == ()
    assert says(only_problem(batch), place, "leads out of the clips folder", "within the clips folder")
    assert (only_problem(batch).clip, only_problem(batch).edit) == ("car", "red" if "edits/red" in place else None)


def test_a_link_that_leads_nowhere_is_told(clips: Path, add: Callable[..., Path]) -> None:
    """A dangling link, such as after a move."""
    add()
    (clips / "car/source.mp4").unlink()
    (clips / "car/source.mp4").symlink_to("gone.mp4")
    assert says(clip_problem(clips, add), "car/source.mp4", "leads nowhere", "the file or folder itself")


def test_all_problems_are_collected(clips: Path, add: Callable[..., Path]) -> None:
    """One look tells all: a user need not mend one thing to learn of the next."""
    folder = add()
    write_video(clips / "car/source.mp4", num_frames=3)
    write_image(folder / "first_frame.png", 10, 10)
    write_image(folder / "references/00003.png")
    write_image(folder / "mask/00002.png", 10, 10)
    (folder / "edit.yaml").write_text("promt: a\nseed: b\n")
    (clips / "empty").mkdir()
    problems = look(clips).problems
    assert {problem.place for problem in problems} == {
        "car/source.mp4",
        "car/edits/red/first_frame.png",
        "car/edits/red/references/00003.png",
        "car/edits/red/mask/00002.png",
        "car/edits/red/mask",
        "car/edits/red/edit.yaml",
        "car/edits/red/edit.yaml, key 'seed'",
        "empty",
        "empty/edits",
    }
