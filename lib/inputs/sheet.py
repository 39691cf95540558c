"""Which files belong to which clip and edit: a sheet (.tsv or .csv) with one row for each edit."""

import csv
import io
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from lib.core.errors import Problem, nearest_known
from lib.inputs.given import (
    VIDEO_SUFFIXES,
    ClipFiles,
    EditFiles,
    EditSettings,
    Text,
    list_folder,
    list_images,
    unreadable_folder,
)
from lib.inputs.ids import OF_CLIPS, names_of_ids

SHEET_SUFFIXES = {".tsv": "\t", ".csv": ","}  # and what separates the columns
WHOLE_NUMBER, DECIMAL = re.compile(r"[0-9]{1,19}"), re.compile(r"[0-9](\.[0-9]+)?")


class RowFiles(BaseModel):
    """What a row names, beside its EditSettings; paths start at the sheet's folder, empty optional cells are absent."""

    clip: Text = Field(description="the clip's name")
    source: Text = Field(description="the clip's video file; the same in all rows of a clip")
    edit: Text = Field(description="the edit's name")
    first_frame: Text | None = Field(
        default=None, description="the edited first frame, an image file; or an instruction in the column of that name"
    )
    references: Text | None = Field(
        default=None,
        description="a folder of edited frames, or such files separated by ';', named by their source frame index",
    )
    mask: Text | None = Field(
        default=None, description="a folder of masks named by their source frame index, or one mask video; white = edit"
    )
    outside: Text | None = Field(
        default=None,
        description="a folder of videos that other tools made, named by method, or METHOD=FILE separated by ';'",
    )


FIELDS = {**RowFiles.model_fields, **EditSettings.model_fields}
COLUMNS = {name: str(field.description) for name, field in FIELDS.items()} | {
    "reference_instructions": "what to change in later frames, INDEX=INSTRUCTION separated by ';'",
    "classes": "detector classes separated by commas, such as car,person",
}
"""Every column, and what belongs into its cells."""

REQUIRED = [name for name, field in FIELDS.items() if field.is_required()]


@dataclass(frozen=True)
class Row:
    """One line of the sheet: where it stands, its cells by column, the settings among them, and what is wrong."""

    place: str
    cells: dict[str, str]
    settings: EditSettings
    problems: tuple[Problem, ...]


def read_sheet(
    sheet: Path, only: Collection[str] | None = None, instruction: str | None = None
) -> tuple[list[ClipFiles], list[Problem]]:
    """Find the clips of a sheet, and the problems that belong to no clip.

    Args:
        only: ids of the clips whose rows are checked; of the others there is the name alone. None: all.
        instruction: of rows that have neither a first frame nor one of their own.
    """
    try:
        header, *lines = _read_lines(sheet)
    except (OSError, ValueError) as error:  # UnicodeDecodeError is a ValueError
        found = f"a sheet that cannot be read ({error})"
        return [], [Problem(sheet.name, found, f"{sheet.suffix} text in UTF-8")]
    problems = _header_problems(sheet.name, header, instruction)
    if problems:
        return [], problems
    rows = [
        (f"{sheet.name}, row {number}", dict(zip(header, line, strict=True)))
        for number, line in enumerate(lines, start=2)
        if any(line)
    ]
    if not rows:
        return [], [Problem(sheet.name, "a sheet without rows", "one row for each edit")]
    clips: dict[str, list[tuple[str, dict[str, str]]]] = {}
    for place, cells in rows:
        if cells["clip"] and cells["edit"]:
            clips.setdefault(cells["clip"], []).append((place, cells))
        else:
            problems += _check_row(place, cells, instruction).problems
    wanted = names_of_ids(list(clips), only, OF_CLIPS)
    of_clips = [
        _read_clip(name, [_check_row(*row, instruction) for row in of_clip], sheet.parent)
        if name in wanted
        else ClipFiles(name, of_clip[0][0])
        for name, of_clip in clips.items()
    ]
    return of_clips, problems


def _read_lines(sheet: Path) -> list[list[str]]:
    """Return the cells of every line, as many in each as in the first; blank lines count, as in a spreadsheet.

    Raises:
        OSError, ValueError: nothing can be read, or a line has more cells than the first, which names the columns.
    """
    text = sheet.read_bytes().decode("utf-8-sig")  # spreadsheets put a byte order mark first
    if not text or "\0" in text:
        raise ValueError("it holds zero bytes, as UTF-16 does" if text else "it is empty")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=SHEET_SUFFIXES[sheet.suffix.lower()], strict=True)
    try:
        lines = list(reader)
    except csv.Error as error:  # an open quote, say
        raise ValueError(f"line {reader.line_num}: {error}") from None
    width = len(lines[0])
    for number, line in enumerate(lines, start=1):
        if len(line) > width:
            raise ValueError(f"row {number} has {len(line)} cells, the first row {width}")
    return [line + [""] * (width - len(line)) for line in lines]


def _header_problems(sheet: str, header: Sequence[str], instruction: str | None) -> list[Problem]:
    place = f"{sheet}, row 1"
    unknown = [name for name in header if name not in COLUMNS]
    problems = [Problem(place, f"an unknown column '{name}'", nearest_known(name, list(COLUMNS))) for name in unknown]
    needed = REQUIRED if instruction or "instruction" in header else [*REQUIRED, "first_frame"]
    for name in needed:
        if name not in header:
            problems.append(Problem(place, f"no column '{name}'", f"the columns {', '.join(needed)}"))
    for name in sorted({name for name in header if header.count(name) > 1 and name in COLUMNS}):
        problems.append(Problem(place, f"two columns '{name}'", "each column once"))
    return problems


def _check_row(place: str, cells: dict[str, str], instruction: str | None) -> Row:
    """Hold a row's cells against both models; absent optional cells are left out."""
    cells = {name: cell for name, cell in cells.items() if cell or name in REQUIRED}
    values = {name: _value_of(name, cell) for name, cell in cells.items() if name in EditSettings.model_fields}
    wrong = sorted(_refused(RowFiles, cells) | _refused(EditSettings, values))
    problems = [
        Problem(f"{place}, {name}", f"'{cells[name]}'" if cells[name] else "an empty cell", COLUMNS[name])
        for name in wrong
    ]
    settings = EditSettings() if wrong else EditSettings.model_validate(values)
    settings = settings.with_instruction_of_run(instruction, "first_frame" in cells)
    if "first_frame" not in cells and not settings.instruction and "instruction" not in wrong:
        problems.append(Problem(f"{place}, first_frame", "an empty cell", COLUMNS["first_frame"]))
    return Row(place, cells, settings, tuple(problems))


def _refused(model: type[BaseModel], values: Mapping[str, object]) -> set[str]:
    """Return the names of the fields that a model refuses."""
    try:
        model.model_validate(values)
    except ValidationError as error:
        return {str(details["loc"][0]) for details in error.errors()}
    return set()


def _value_of(column: str, cell: str) -> str | int | float | list[str] | dict[int, str]:
    """Read a cell as a setting; what is no number stays text, which the settings then refuse."""
    if column in ("seed", "num_steps") and WHOLE_NUMBER.fullmatch(cell):
        return int(cell)
    if column in ("lora_scale", "guidance") and DECIMAL.fullmatch(cell):
        return float(cell)
    if column == "reference_instructions":
        parts = [part.partition("=") for part in cell.split(";") if part.strip()]
        named = {int(index): words.strip() for index, _, words in parts if WHOLE_NUMBER.fullmatch(index.strip())}
        return named if len(named) == len(parts) else cell
    return [name.strip() for name in cell.split(",")] if column == "classes" else cell


def _read_clip(name: str, rows: list[Row], folder: Path) -> ClipFiles:
    sources: dict[str, Row] = {}
    for row in rows:
        if row.cells["source"]:
            sources.setdefault(os.path.normpath(folder / row.cells["source"]), row)
    problems = []
    if len(sources) > 1:
        found = f"one clip with {len(sources)} sources: " + ", ".join(
            f"{row.cells['source']} ({row.place})" for row in sources.values()
        )
        problems.append(Problem(rows[0].place, found, "one source for all rows of a clip, or another clip name"))
    paths = tuple(folder / row.cells["source"] for row in list(sources.values())[:1])
    return ClipFiles(name, rows[0].place, paths, tuple(_read_edit(row, folder) for row in rows), tuple(problems))


def _read_edit(row: Row, folder: Path) -> EditFiles:
    cells = row.cells
    problems = list(row.problems)
    first_frames = (folder / cells["first_frame"],) if "first_frame" in cells else ()
    references: tuple[Path, ...] = ()
    masks: tuple[Path, ...] | None = None
    mask_videos: tuple[Path, ...] = ()
    outside: tuple[tuple[str, Path], ...] = ()
    try:
        if "references" in cells:
            references, more = _list_references(cells["references"], folder)
            problems += more
        if "mask" in cells and Path(cells["mask"]).suffix.lower() in VIDEO_SUFFIXES:
            mask_videos = (folder / cells["mask"],)
        elif "mask" in cells:
            masks, more = list_images(folder / cells["mask"], None, folder)
            problems += more
        if "outside" in cells:
            outside, more = _list_outside(cells["outside"], folder, row.place)
            problems += more
    except OSError as error:
        problems.append(unreadable_folder(error, folder, folder))
    return EditFiles(
        cells["edit"], row.place, first_frames, references, masks, mask_videos, row.settings, tuple(problems), outside
    )


def _list_references(cell: str, folder: Path) -> tuple[tuple[Path, ...], list[Problem]]:
    if (folder / cell).is_dir():
        return list_images(folder / cell, None, folder)
    return tuple(folder / part.strip() for part in cell.split(";") if part.strip()), []


def _list_outside(cell: str, folder: Path, place: str) -> tuple[tuple[tuple[str, Path], ...], list[Problem]]:
    if (folder / cell).is_dir():
        paths, problems = list_folder(folder / cell, None)
        return tuple((path.stem, path) for path in paths), problems
    parts = [part.partition("=") for part in cell.split(";") if part.strip()]
    if all(sign and name.strip() and file.strip() for name, sign, file in parts):
        return tuple((name.strip(), folder / file.strip()) for name, _, file in parts), []
    return (), [Problem(f"{place}, outside", f"'{cell}'", COLUMNS["outside"])]
