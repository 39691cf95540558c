"""Edits in words: an instruction in place of an edited first frame."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lib.inputs.clips import Batch, find_clips
from tests.lib.inputs.clips.example_clips import COLUMNS, ROW, USED, look, only_problem, says, write_image

WORDS = "make the car red; $(touch X) `id` '{clip}'"  # data, whatever it looks like


def _look_with(clips: Path, instruction: str) -> Batch:
    return find_clips(clips, num_frames=5, start=2, stride=3, instruction=instruction)


def test_an_instruction_takes_the_place_of_a_first_frame(clips: Path, add: Callable[..., Path]) -> None:
    """With masks and references of the user's, or without; it is no file of the edit's."""
    folder = add()
    (folder / "first_frame.png").unlink()
    (folder / "edit.yaml").write_text(f"instruction: {WORDS!r}\nprompt: a red car\n")
    write_image(folder / "references" / "00005.png")
    for index in USED:
        write_image(folder / "mask" / f"{index:05d}.png")
    batch = look(clips)
    (edit,) = batch.clips[0].edits
    assert batch.problems == () and edit.first_frame is None
    assert (edit.instruction, edit.prompt) == (WORDS, "a red car")
    assert len(edit.files) == 1 + len(USED) and edit.pictures == [folder / "references" / "00005.png"]


def test_both_are_one_too_many(clips: Path, add: Callable[..., Path]) -> None:
    """Which of them is meant is for the user to say."""
    (add() / "edit.yaml").write_text("instruction: make it red\n")
    batch = look(clips)
    assert batch.clips == ()
    assert says(only_problem(batch), "car/edits/red", "an instruction beside first_frame.png", "one of them")


@pytest.mark.parametrize("value", ["''", "3", "[make it red]"])
def test_an_instruction_is_a_text(clips: Path, add: Callable[..., Path], value: str) -> None:
    """And the edit is not told to lack a first frame beside that."""
    folder = add()
    (folder / "first_frame.png").unlink()
    (folder / "edit.yaml").write_text(f"instruction: {value}\n")
    assert says(only_problem(look(clips)), "car/edits/red/edit.yaml, key 'instruction'", "", "in words")


def test_one_instruction_serves_all_that_have_nothing_else(clips: Path, add: Callable[..., Path]) -> None:
    """Not edits with a first frame or an instruction of their own; a clip without edits gets one."""
    add("car", "given")
    (add("car", "own") / "first_frame.png").unlink()
    (clips / "car" / "edits" / "own" / "edit.yaml").write_text("instruction: make it green\n")
    (add("car", "bare") / "first_frame.png").unlink()
    folder = add("bus")
    (folder / "first_frame.png").unlink()
    folder.rmdir()
    folder.parent.rmdir()
    batch = _look_with(clips, "make it red")
    assert batch.problems == ()
    found = {(clip.name, edit.name): edit.instruction for clip in batch.clips for edit in clip.edits}
    assert found == {
        ("bus", "instructed"): "make it red",
        ("car", "bare"): "make it red",
        ("car", "given"): None,
        ("car", "own"): "make it green",
    }
    assert {problem.clip for problem in look(clips).problems} == {"bus", "car"}


def test_a_sheet_has_a_column_for_it(sheet: Callable[..., Path]) -> None:
    """In place of that of first frames, or beside it; each row needs one of both."""
    words = {**ROW, "first_frame": "", "instruction": WORDS}
    batch = look(sheet(ROW, {**words, "edit": "blue"}))
    assert batch.problems == ()
    assert [(edit.first_frame is None, edit.instruction) for edit in batch.clips[0].edits] == [
        (False, None),
        (True, WORDS),
    ]
    alone = look(sheet(words, columns=[column for column in COLUMNS if column != "first_frame"]))
    assert alone.problems == () and alone.clips[0].edits[0].instruction == WORDS
    neither = only_problem(look(sheet({**words, "instruction": ""})))
    assert says(neither, "clips.tsv, row 2, first_frame", "an empty cell", "an instruction in the column of that name")
    both = only_problem(look(sheet({**ROW, "instruction": WORDS})))
    assert says(both, "clips.tsv, row 2", "an instruction beside red.png", "one of them")


def test_one_instruction_serves_a_sheet(sheet: Callable[..., Path]) -> None:
    """Without a column of first frames or instructions."""
    path = sheet({**ROW, "first_frame": ""}, columns=["clip", "source", "edit"])
    assert "no column 'first_frame'" in str(only_problem(look(path)))
    batch = _look_with(path, "make it red")
    assert batch.problems == () and batch.clips[0].edits[0].instruction == "make it red"


def test_references_in_words_stand_among_the_others(clips: Path, add: Callable[..., Path]) -> None:
    """By source index, beside a first frame or an instruction, and files of other frames."""
    folder = add()
    write_image(folder / "references" / "00008.png")
    (folder / "edit.yaml").write_text("reference_instructions: {11: a dent in it, 5: make it red}\n")
    batch = look(clips)
    (edit,) = batch.clips[0].edits
    assert batch.problems == () and edit.is_instructed and edit.instruction is None
    assert edit.references == ((5, None), (8, folder / "references" / "00008.png"), (11, None))
    assert edit.reference_instructions == ((5, "make it red"), (11, "a dent in it"))
    assert edit.pictures == [folder / "first_frame.png", folder / "references" / "00008.png"]


@pytest.mark.parametrize(
    ("given", "place", "found"),
    [
        ("{6: x}", "car/edits/red, reference_instructions", "source frame index 6"),
        ("{2: x}", "car/edits/red, reference_instructions", "source frame index 2, the one that"),
        ("{99: x}", "car/edits/red, reference_instructions", "beyond the clip"),
        ("{8: x}", "car/edits/red, reference_instructions", "index 8, beside the reference 00008.png"),
        ("{five: x}", "car/edits/red/edit.yaml, key 'reference_instructions'", "five"),
        ("{-1: x}", "car/edits/red/edit.yaml, key 'reference_instructions'", "-1"),
        ("{5: }", "car/edits/red/edit.yaml, key 'reference_instructions'", "None"),
        ("make it red", "car/edits/red/edit.yaml, key 'reference_instructions'", "make it red"),
    ],
)
def test_wrong_references_in_words_are_told(
    clips: Path, add: Callable[..., Path], given: str, place: str, found: str
) -> None:
    """Frames that are not used, given twice, or no frames at all."""
    folder = add()
    write_image(folder / "references" / "00008.png")
    (folder / "edit.yaml").write_text(f"reference_instructions: {given}\n")
    assert says(only_problem(look(clips)), place, found, "")


def test_a_sheet_has_a_column_for_references_in_words(sheet: Callable[..., Path]) -> None:
    """INDEX=INSTRUCTION, separated by semicolons; what is none of it is refused."""
    batch = look(sheet({**ROW, "reference_instructions": "11=a = b; 5 = make it red"}))
    assert batch.problems == ()
    assert batch.clips[0].edits[0].reference_instructions == ((5, "make it red"), (11, "a = b"))
    for cell in ("make it red", "5=", "5=x;5=y", "x=5"):
        problem = only_problem(look(sheet({**ROW, "reference_instructions": cell})))
        assert says(problem, "clips.tsv, row 2, reference_instructions", cell, "INDEX=INSTRUCTION")
