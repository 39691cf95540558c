"""Names and links that would lead astray are told; all problems are collected."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.inputs.clips import RESERVED_CLIP_NAMES, RESERVED_EDIT_NAMES
from tests.lib.inputs.clips.example_clips import (
    clip_problem,
    look,
    only_problem,
    says,
    write_image,
    write_video,
)


@pytest.mark.parametrize("name", ["a{b}", "back\\slash", "bell\x07", "new\nline", "line\u2028end"])
def test_unusable_characters_are_told(clips: Path, add: Callable[..., Path], name: str) -> None:
    """Snakemake's braces, separators and control characters; the message itself stays printable."""
    add(name, "red")
    add("good", name)
    add("good", "fine")
    batch = look(clips)
    assert [(clip.name, len(clip.edits)) for clip in batch.clips] == [("good", 1)]
    assert {problem.edit is None for problem in batch.problems} == {True, False}
    for problem in batch.problems:
        assert "a name with '" in problem.found
        assert str(problem).isprintable()


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


@pytest.mark.parametrize("name", [" before", "after ", "x" * 101, "й" * 101])
def test_spaces_around_and_long_names_are_told(clips: Path, add: Callable[..., Path], name: str) -> None:
    """Such names are lost or cut by other programs."""
    add(name)
    problem = only_problem(look(clips))
    assert (problem.place, problem.clip) == (name, name)
    assert f"'{name}'" in problem.found or "101 characters" in problem.found


def test_bytes_are_counted_too(clips: Path, add: Callable[..., Path]) -> None:
    """Sixty-seven characters of three bytes each are more than 200 bytes; sixty-six are not."""
    add("車" * 67)
    add("車" * 66)
    batch = look(clips)
    assert [clip.name for clip in batch.clips] == ["車" * 66]
    assert "67 characters and 201 bytes" in only_problem(batch).found


@pytest.mark.parametrize("name", [*sorted(RESERVED_CLIP_NAMES), "Report"])
def test_reserved_clip_names_are_told(clips: Path, add: Callable[..., Path], name: str) -> None:
    """These stand in the results folder already, on some file systems whatever their case."""
    add(name)
    assert says(only_problem(look(clips)), name, f"the name '{name}'", "the workflow itself uses benchmarks, logs")


@pytest.mark.parametrize("name", sorted(RESERVED_EDIT_NAMES))
def test_reserved_edit_names_are_told(clips: Path, add: Callable[..., Path], name: str) -> None:
    """These stand in a clip's results folder already."""
    add("car", name)
    assert says(only_problem(look(clips)), f"car/edits/{name}", f"the name '{name}'", "uses encoded, lora")


def test_the_reserved_names_are_those_of_the_results() -> None:
    """Other modules rely on the two lists."""
    assert {"report", "logs", "benchmarks", "metrics.csv"} == RESERVED_CLIP_NAMES
    assert {"encoded", "lora"} == RESERVED_EDIT_NAMES


@pytest.mark.parametrize(("one", "other"), [("Car", "car"), ("caf\u00e9", "cafe\u0301"), ("STRASSE", "straße")])
def test_names_that_look_alike_are_told(clips: Path, add: Callable[..., Path], one: str, other: str) -> None:
    """Case and accent encoding do not tell names apart everywhere; neither of the two is preferred."""
    add(one)
    if (clips / other).exists():
        pytest.skip("this file system takes the two names for one")
    add(other)
    add("good", one)
    add("good", other)
    batch = look(clips)
    assert batch.clips == ()
    assert {(problem.clip, problem.edit) for problem in batch.problems} == {
        *((name, None) for name in (one, other)),
        *(("good", name) for name in (one, other)),
    }
    assert all("differs only in case or accent encoding" in problem.found for problem in batch.problems)


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
