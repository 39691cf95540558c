"""Which files belong to which clip and edit: a sheet (.tsv or .csv) with one row for each edit."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.core.errors import Problem, nearest_known
from lib.core.files import read_json
from lib.core.project import ROOT
from lib.inputs.given import VIDEO_SUFFIXES, ClipFiles, EditFiles, EditSettings, list_images, unreadable_folder

SHEET_SUFFIXES = {".tsv": "\t", ".csv": ","}  # and what separates the columns
SCHEMA = ROOT / "workflow" / "schemas" / "clips.schema.json"


@dataclass(frozen=True)
class Row:
    """One line of the sheet: where it stands, its cells by column, and what is wrong with them."""

    place: str
    cells: dict[str, str]
    problems: tuple[Problem, ...]


def read_sheet(sheet: Path) -> tuple[list[ClipFiles], list[Problem]]:
    """Find the clips of a sheet, and the problems that belong to no clip."""
    schema = read_json(SCHEMA)
    try:
        header, lines = _read_lines(sheet)
    except (OSError, ValueError) as error:  # what pandas raises, UnicodeDecodeError too, is a ValueError
        reason = str(error).strip().splitlines()[0]
        return [], [Problem(sheet.name, f"a sheet that cannot be read ({reason})", f"{sheet.suffix} text in UTF-8")]
    problems = _header_problems(sheet.name, header, schema)
    if problems:
        return [], problems
    rows = _check_rows(sheet.name, [dict(zip(header, line, strict=True)) for line in lines], schema)
    if not rows:
        return [], [Problem(sheet.name, "a sheet without rows", "one row for each edit")]
    clips: dict[str, list[Row]] = {}
    for row in rows:
        if row.cells["clip"] and row.cells["edit"]:
            clips.setdefault(row.cells["clip"], []).append(row)
        else:
            problems += row.problems
    return [_read_clip(name, of_clip, sheet.parent) for name, of_clip in clips.items()], problems


def _read_lines(sheet: Path) -> tuple[list[str], list[list[str]]]:
    import pandas  # here: it takes most of a second to import, and a folder of clips does without it

    table = pandas.read_csv(
        sheet,
        sep=SHEET_SUFFIXES[sheet.suffix.lower()],
        header=None,  # else a row longer than the header would shift all columns in silence
        dtype=str,
        na_filter=False,  # a clip may be called NA
        skip_blank_lines=False,  # so that row numbers are those of a spreadsheet
        encoding="utf-8-sig",  # spreadsheets put a byte order mark first
    )
    lines: list[list[str]] = table.to_numpy().tolist()
    if any("\0" in cell for line in lines for cell in line):
        raise ValueError("it holds zero bytes, as UTF-16 does")
    return lines[0], lines[1:]


def _header_problems(sheet: str, header: Sequence[str], schema: Any) -> list[Problem]:
    known, place = list(schema["properties"]), f"{sheet}, row 1"
    unknown = [name for name in header if name not in known]
    problems = [Problem(place, f"an unknown column '{name}'", nearest_known(name, known)) for name in unknown]
    for name in schema["required"]:
        if name not in header:
            problems.append(Problem(place, f"no column '{name}'", f"the columns {', '.join(schema['required'])}"))
    for name in sorted({name for name in header if header.count(name) > 1 and name in known}):
        problems.append(Problem(place, f"two columns '{name}'", "each column once"))
    return problems


def _check_rows(sheet: str, lines: list[dict[str, str]], schema: Any) -> list[Row]:
    """Validate all but blank lines against the schema; absent optional cells are left out."""
    from jsonschema import Draft202012Validator  # here: a folder does without it

    validator = Draft202012Validator(schema)
    rows = []
    for number, line in enumerate(lines, start=2):
        if not any(line.values()):
            continue
        cells = {key: cell for key, cell in line.items() if cell or key in schema["required"]}
        place = f"{sheet}, row {number}"
        keys = sorted(str(error.path[0]) for error in validator.iter_errors(cells))
        problems = [_cell_problem(f"{place}, {key}", cells[key], schema["properties"][key]) for key in keys]
        rows.append(Row(place, cells, tuple(problems)))
    return rows


def _cell_problem(place: str, cell: str, column: Any) -> Problem:
    return Problem(place, f"'{cell}'" if cell else "an empty cell", column["description"])


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
    first_frames = (folder / cells["first_frame"],) if cells["first_frame"] else ()
    references: tuple[Path, ...] = ()
    masks: tuple[Path, ...] | None = None
    mask_videos: tuple[Path, ...] = ()
    try:
        if "references" in cells:
            references, more = _list_references(cells["references"], folder)
            problems += more
        if "mask" in cells and Path(cells["mask"]).suffix.lower() in VIDEO_SUFFIXES:
            mask_videos = (folder / cells["mask"],)
        elif "mask" in cells:
            masks, more = list_images(folder / cells["mask"], None, folder)
            problems += more
    except OSError as error:
        problems.append(unreadable_folder(error, folder, folder))
    settings = EditSettings() if row.problems else _read_settings(cells)
    return EditFiles(cells["edit"], row.place, first_frames, references, masks, mask_videos, settings, tuple(problems))


def _list_references(cell: str, folder: Path) -> tuple[tuple[Path, ...], list[Problem]]:
    if (folder / cell).is_dir():
        return list_images(folder / cell, None, folder)
    return tuple(folder / part.strip() for part in cell.split(";") if part.strip()), []


def _read_settings(cells: dict[str, str]) -> EditSettings:
    return EditSettings(
        prompt=cells.get("prompt"),
        seed=int(cells["seed"]) if "seed" in cells else None,
        lora_scale=float(cells["lora_scale"]) if "lora_scale" in cells else None,
        classes=[name.strip() for name in cells["classes"].split(",")] if "classes" in cells else None,
    )
