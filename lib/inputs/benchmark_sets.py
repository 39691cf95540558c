"""Make a sheet of a published test set: `python -m lib.inputs.benchmark_sets i2vedit|editversebench FOLDER SHEET`.

Read are the layouts alone; nothing is fetched, and what is missing is told. I2VEdit's set: itemN/source_and_edits/ with
source.mp4 and a picture for each edit. EditVerseBench: EditVerseBench.json (or test.json), the videos that it names,
and edited_first_frame/ID.jpg, for few of its items; its licence excludes commercial use.
"""

import argparse
import csv
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lib.core.errors import InputError, Problem
from lib.core.files import whole_file
from lib.inputs.sheet import SHEET_SUFFIXES

PICTURES = (".png", ".jpg", ".jpeg")
INDEXES = ("EditVerseBench.json", "test.json")
COLUMNS = ("clip", "source", "edit", "first_frame", "prompt")


@dataclass
class FoundSet:
    """What a folder of a test set gives.

    Attributes:
        rows: clip, source, edit, first frame and prompt (empty: none) of each edit.
        left_out: what cannot be edited, and why.
    """

    rows: list[tuple[str, Path, str, Path, str]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def read_i2vedit(folder: Path) -> FoundSet:
    """Read I2VEdit's set: an edit is called as its picture."""
    found = FoundSet()
    for item in sorted((path for path in folder.iterdir() if path.is_dir()), key=_in_counting_order):
        parts = item / "source_and_edits"
        if not parts.is_dir():
            continue
        source = parts / "source.mp4"
        frames = sorted(path for path in parts.iterdir() if path.suffix.lower() in PICTURES)
        if not source.is_file() or not frames:
            found.left_out.append(f"{item.name}: no source.mp4" if frames else f"{item.name}: no edited picture")
            continue
        found.rows += [(item.name, source, frame.stem, frame, "") for frame in frames]
    return found


def read_editversebench(folder: Path) -> FoundSet:
    """Read EditVerseBench: of its items, those for which there is an edited first frame, with their target prompts."""
    index = next((path for path in (folder / name for name in INDEXES) if path.is_file()), None)
    if index is None:
        raise InputError([Problem(str(folder), "no index", f"a folder with {' or '.join(INDEXES)}")])
    try:
        items = {
            str(key): (str(item["<video1>"]), str(item.get("target_prompt") or ""))
            for key, item in json.loads(index.read_text(encoding="utf-8")).items()
        }
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        expected = "a dictionary of items, each with <video1> and target_prompt"
        raise InputError([Problem(str(index), f"no such index ({error!r})", expected)]) from None
    found = FoundSet()
    frames = folder / "edited_first_frame"
    given = sorted(frames.iterdir(), key=_in_counting_order) if frames.is_dir() else []
    for frame in (path for path in given if path.suffix.lower() in PICTURES):
        keys = [key for key, (video, _) in items.items() if Path(video).stem == frame.stem]
        keys = keys or [key for key in items if key == frame.stem]
        if len(keys) != 1:
            found.left_out.append(f"{frame.name}: of {len(keys)} items ({', '.join(keys) or 'none has this video'})")
            continue
        video, prompt = items[keys[0]]
        if not (folder / video).is_file():
            found.left_out.append(f"{frame.name}: its video {video} is not here")
            continue
        found.rows.append((frame.stem, folder / video, f"item-{keys[0]}", frame, prompt))
    return found


READERS: dict[str, Callable[[Path], FoundSet]] = {"i2vedit": read_i2vedit, "editversebench": read_editversebench}


def write_sheet(found: FoundSet, sheet: Path) -> None:
    """Write the rows, paths from the sheet's folder on.

    Raises:
        InputError: the sheet's name has another ending than a sheet's.
    """
    separator = SHEET_SUFFIXES.get(sheet.suffix)
    if separator is None:
        raise InputError([Problem(str(sheet), "another ending", f"one of {', '.join(SHEET_SUFFIXES)}")])
    base = sheet.resolve().parent
    base.mkdir(parents=True, exist_ok=True)
    with whole_file(sheet) as temporary, temporary.open("w", encoding="utf-8", newline="") as table:
        writer = csv.writer(table, delimiter=separator, lineterminator="\n")
        writer.writerow(COLUMNS)
        for clip, source, edit, frame, prompt in found.rows:
            paths = [os.path.relpath(path.resolve(), base) for path in (source, frame)]
            writer.writerow([clip, paths[0], edit, paths[1], " ".join(prompt.split())])


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the sheet, and say what was left out; 1 if nothing can be edited."""
    parser = argparse.ArgumentParser(prog="python -m lib.inputs.benchmark_sets", description="A test set as a sheet.")
    parser.add_argument("layout", choices=list(READERS), help="of the folder")
    parser.add_argument("folder", type=Path, help="the test set, as published")
    parser.add_argument("sheet", type=Path, help="the .tsv or .csv to write")
    given = parser.parse_args(arguments)
    try:
        if not given.folder.is_dir():
            raise InputError([Problem(str(given.folder), "no folder", "that of the test set")])
        found = READERS[given.layout](given.folder)
        if found.rows:
            write_sheet(found, given.sheet)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    for line in found.left_out:
        print(f"left out: {line}", file=sys.stderr)
    clips = {row[0] for row in found.rows}
    print(f"{given.sheet}: {len(clips)} clips, {len(found.rows)} edits" if clips else "nothing that can be edited")
    return 0 if clips else 1


def _in_counting_order(path: Path) -> tuple[str, int, str]:
    """Sort item2 before item10."""
    word = path.stem.rstrip("0123456789")
    number = path.stem[len(word) :]
    return word, int(number) if number else -1, path.name


if __name__ == "__main__":
    sys.exit(main())
