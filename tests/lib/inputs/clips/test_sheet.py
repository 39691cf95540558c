"""Clips and edits are read from a sheet, and every mistake in it is told by its row."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lib.inputs.sheet import COLUMNS as KNOWN_COLUMNS
from tests.lib.inputs.clips.example_clips import COLUMNS, ROW, USED, look, only_problem, says


@pytest.mark.parametrize("name", ["clips.tsv", "clips.csv"])
def test_a_sheet_is_read(sheet: Callable[..., Path], tmp_path: Path, name: str) -> None:
    """Rows become edits; paths start at the sheet; blank rows and a byte order mark do no harm."""
    full = {
        "references": "more",
        "mask": "masks",
        "prompt": "a red car",
        "seed": "7",
        "lora_scale": "0.8",
        "num_steps": "12",
        "guidance": "3.5",
        "negative_prompt": "blur and noise",
        "classes": "car",
    }
    listed = {"edit": "NA", "references": "more/00011.png;more/00005.png", "first_frame": str(tmp_path / "red.png")}
    batch = look(sheet({**ROW, **full}, {}, {**ROW, **listed}, {**ROW, "clip": "007"}, name=name))
    assert batch.problems == ()
    assert [(clip.name, [edit.name for edit in clip.edits]) for clip in batch.clips] == [
        ("car", ["red", "NA"]),
        ("007", ["red"]),
    ]
    red, listed_edit = batch.clips[0].edits
    assert batch.clips[0].source == tmp_path / "car.mp4"
    assert red.references == listed_edit.references == tuple((i, tmp_path / f"more/{i:05}.png") for i in (5, 11))
    assert red.masks == tuple((index, tmp_path / f"masks/{index:05}.png") for index in USED)
    assert (red.prompt, red.seed, red.lora_scale, red.classes) == ("a red car", 7, 0.8, ("car",))
    assert (red.num_steps, red.guidance, red.negative_prompt) == (12, 3.5, "blur and noise")
    assert (
        listed_edit.lora_scale is listed_edit.num_steps is listed_edit.guidance is listed_edit.negative_prompt is None
    )
    assert (listed_edit.masks, listed_edit.prompt, listed_edit.seed, listed_edit.classes) == ((), None, None, None)


def test_a_sheet_may_name_a_mask_video(sheet: Callable[..., Path], tmp_path: Path) -> None:
    """The column `mask` takes a folder or a video; a video that is not there is told."""
    good, gone = look(sheet({**ROW, "mask": "bus.mp4"})), look(sheet({**ROW, "mask": "gone.mp4"}))
    assert good.problems == () and good.clips[0].edits[0].mask_video == tmp_path / "bus.mp4"
    assert says(only_problem(gone), "gone.mp4", "no such file", "a file that exists")


def test_several_classes_are_split(sheet: Callable[..., Path]) -> None:
    """Classes are separated by commas, with or without spaces."""
    batch = look(sheet({**ROW, "classes": "car, traffic light"}))
    assert batch.clips[0].edits[0].classes == ("car", "traffic light")


@pytest.mark.parametrize("name", ["a'b", "../car", "a\\b", "..", " car", "Logs", "{clip}", "$(touch X)", "x" * 999])
def test_odd_names_work_in_a_sheet(sheet: Callable[..., Path], name: str) -> None:
    """A sheet takes any name, those too that no folder can have."""
    batch = look(sheet({**ROW, "clip": name, "edit": name}))
    assert batch.problems == ()
    assert (batch.clips[0].name, batch.clips[0].edits[0].name) == (name, name)


def test_a_sheets_files_may_lie_anywhere(sheet: Callable[..., Path], tmp_path: Path) -> None:
    """Only names are held within the folder, not files or links."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/link.mp4").symlink_to(tmp_path / "car.mp4")
    path = sheet({**ROW, "source": "link.mp4", "first_frame": "../red.png", "references": "../more"}, name="sub/c.tsv")
    assert look(path).problems == ()


@pytest.mark.parametrize(
    ("cells", "place", "found", "expected"),
    [
        ({"clip": ""}, "clips.tsv, row 2, clip", "an empty cell", "the clip's name"),
        ({"edit": ""}, "clips.tsv, row 2, edit", "an empty cell", "the edit's name"),
        ({"source": ""}, "clips.tsv, row 2, source", "an empty cell", "the clip's video file"),
        ({"first_frame": ""}, "clips.tsv, row 2, first_frame", "an empty cell", "the edited first frame"),
        ({"lora_scale": "much"}, "clips.tsv, row 2, lora_scale", "'much'", "a number from 0 to 4"),
        ({"lora_scale": "4.5"}, "clips.tsv, row 2, lora_scale", "'4.5'", "a number from 0 to 4"),
        ({"num_steps": "0"}, "clips.tsv, row 2, num_steps", "'0'", "a whole number from 1 to 1000"),
        ({"num_steps": "2.5"}, "clips.tsv, row 2, num_steps", "'2.5'", "a whole number from 1 to 1000"),
        ({"guidance": "0.5"}, "clips.tsv, row 2, guidance", "'0.5'", "a number from 1 to 100"),
        ({"seed": "3.0"}, "clips.tsv, row 2, seed", "'3.0'", "a whole number"),
        ({"seed": "-1"}, "clips.tsv, row 2, seed", "'-1'", "a whole number"),
        ({"seed": "9223372036854775808"}, "clips.tsv, row 2, seed", "'9223372036854775808'", "a whole number"),
        ({"lora_scale": "nan"}, "clips.tsv, row 2, lora_scale", "'nan'", "a number from 0 to 4"),
        ({"classes": "car,,bus"}, "clips.tsv, row 2, classes", "'car,,bus'", "separated by commas"),
        ({"source": "gone.mp4"}, "gone.mp4", "no such file", "a file that exists"),
        ({"source": "more"}, "more", "a folder", "a file"),
        ({"first_frame": "gone.png"}, "gone.png", "no such file", "a file that exists"),
        ({"first_frame": "car.mp4"}, "car.mp4", "no readable image", "a whole PNG"),
        ({"references": "red.png"}, "red.png", "'red', which is no whole number", "index"),
        ({"references": "more/00005.png; gone/5.png"}, "gone/5.png", "a second file for index 5", "one"),
        ({"references": "gone/00005.png"}, "gone/00005.png", "no such file", "a file that exists"),
        ({"mask": "gone"}, "gone", "cannot be read as a folder", "a readable folder"),
        ({"mask": "red.png"}, "red.png", "cannot be read as a folder", "a readable folder"),
        ({"clip": " "}, "clips.tsv, row 2", "a name of blanks", "a name that can be read"),
    ],
)
def test_a_wrong_cell_is_told(
    sheet: Callable[..., Path], cells: dict[str, str], place: str, found: str, expected: str
) -> None:
    """A cell's problem names the row and column, a file's problem names the file as the sheet does."""
    batch = look(sheet({**ROW, **cells}, {**ROW, "clip": "good"}))
    assert "good" in [clip.name for clip in batch.clips]
    assert len(batch.clips) == 1
    (problem,) = [problem for problem in batch.problems if problem.place == place and found in problem.found]
    assert says(problem, place, found, expected)


def test_a_wrong_row_leaves_the_others(sheet: Callable[..., Path]) -> None:
    """Rows stand alone."""
    batch = look(sheet({**ROW, "seed": "x"}, {**ROW, "edit": "wet"}, {**ROW, "edit": ""}, {**ROW, "clip": "bus"}))
    assert [(clip.name, [edit.name for edit in clip.edits]) for clip in batch.clips] == [
        ("car", ["wet"]),
        ("bus", ["red"]),
    ]
    assert [problem.place for problem in batch.problems] == ["clips.tsv, row 4, edit", "clips.tsv, row 2, seed"]


def test_rows_are_numbered_as_in_a_spreadsheet(sheet: Callable[..., Path]) -> None:
    """Blank lines count."""
    path = sheet(ROW, {**ROW, "edit": "wet", "seed": "x"})
    header, first, second = path.read_text().splitlines()
    path.write_text("\n".join([header, "", first, "", second]))
    assert only_problem(look(path)).place == "clips.tsv, row 5, seed"


def test_one_clip_with_two_sources_is_told(sheet: Callable[..., Path]) -> None:
    """The rows of a clip must name one video."""
    batch = look(sheet(ROW, {**ROW, "edit": "wet", "source": "bus.mp4"}, {**ROW, "edit": "dry", "source": "./car.mp4"}))
    assert batch.clips == ()
    found = "2 sources: car.mp4 (clips.tsv, row 2), bus.mp4 (clips.tsv, row 3)"
    assert says(only_problem(batch), "clips.tsv, row 2", found, "one source for all rows")


def test_duplicates_in_a_sheet_are_told(sheet: Callable[..., Path]) -> None:
    """The same edit twice; clips that differ only in case are two."""
    batch = look(sheet(ROW, {**ROW, "edit": "wet"}, ROW, {**ROW, "clip": "bus"}, {**ROW, "clip": "BUS"}))
    assert [(clip.name, [edit.name for edit in clip.edits]) for clip in batch.clips] == [
        ("car", ["wet"]),
        ("bus", ["red"]),
        ("BUS", ["red"]),
    ]
    assert [clip.id for clip in batch.clips][:2] == ["car", "bus"] and batch.clips[2].id.startswith("BUS-")
    assert [(problem.place, problem.found) for problem in batch.problems] == [
        ("clips.tsv, row 2", "a second 'red', the same name"),
        ("clips.tsv, row 4", "a second 'red', the same name"),
    ]


def test_wrong_columns_are_told(sheet: Callable[..., Path]) -> None:
    """Misspelt, missing and doubled columns."""
    path = sheet(ROW, columns=["clip", "source", "source", "edit", "firstframe"])
    assert [(problem.place, problem.found, problem.expected) for problem in look(path).problems] == [
        ("clips.tsv, row 1", "an unknown column 'firstframe'", "'first_frame' (the nearest known key)"),
        ("clips.tsv, row 1", "no column 'first_frame'", "the columns clip, source, edit, first_frame"),
        ("clips.tsv, row 1", "two columns 'source'", "each column once"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        "clip\tsource\n\xe4".encode("latin-1"),
        "clip\tsource\n".encode("utf-16"),
        "clip\tsource\n".encode("utf-16-le"),
        b"clip\tsource\na\tb\tc\td\n",
        b'"a\tb',
    ],
)
def test_an_unreadable_sheet_is_told(tmp_path: Path, content: bytes) -> None:
    """Empty, in another encoding, with too many cells, with an open quote."""
    (tmp_path / "clips.tsv").write_bytes(content)
    assert says(only_problem(look(tmp_path / "clips.tsv")), "clips.tsv", "a sheet that cannot be read", "UTF-8")


def test_a_sheet_without_rows_is_told(sheet: Callable[..., Path]) -> None:
    """A header alone is not a batch."""
    assert says(only_problem(look(sheet())), "clips.tsv", "without rows", "one row for each edit")


def test_each_column_says_what_belongs_there() -> None:
    """In the order of the documentation; a setting's column is a setting of edit.yaml."""
    assert list(KNOWN_COLUMNS) == COLUMNS
    assert all(KNOWN_COLUMNS.values())


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_sheet_is_read_as_spreadsheets_write_it(sheet: Callable[..., Path], line_end: str) -> None:
    """Any line end, cells in quotes with separators, quotes and line breaks in them, short rows, spaces as they are."""
    path = sheet(ROW, {**ROW, "edit": '"wet, ""cold"""', "prompt": '"a road,\nin rain "'}, name="clips.csv")
    path.write_bytes(path.read_bytes().replace(b"red.png,,,,,,\n", b"red.png\n").replace(b"\n", line_end.encode()))
    batch = look(path)
    assert batch.problems == ()
    red, wet = batch.clips[0].edits
    assert (red.name, wet.name, wet.prompt) == ("red", 'wet, "cold"', f"a road,{line_end}in rain ")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        ("clip\tsource\n".encode("utf-16-le"), "it holds zero bytes, as UTF-16 does"),
        (b"clip\tsource\na\tb\tc\td\n", "row 2 has 4 cells, the first row 2"),
        (b'clip\tsource\na\t"b\n\nc\td\n', "line 4: unexpected end of data"),
        (b'clip\tsource\na\t"b"c\n', "line 2: '\\t' expected after '\"'"),
    ],
)
def test_why_a_sheet_is_unreadable_is_told(tmp_path: Path, content: bytes, reason: str) -> None:
    """With the line where there is one."""
    (tmp_path / "clips.tsv").write_bytes(content)
    assert f"a sheet that cannot be read ({reason})" == only_problem(look(tmp_path / "clips.tsv")).found
