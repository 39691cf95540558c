"""Decisions that were saved from the page, and edits that a command line names: checked against the edits there are."""

import fnmatch
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import get_args

from lib.core.errors import InputError, Problem, nearest_known
from lib.core.names import Names, name_of
from lib.core.text import printable
from lib.inputs.decisions import Decision

UNDECIDED = "undecided"
MOST_BYTES = 2**26  # of a file from the page; 100,000 edits take some ten million

Edit = tuple[str, str]
"""The names of a clip and of one of its edits."""


def known_edits(expected: Iterable[Sequence[str]], names: Names) -> list[Edit]:
    """List the edits of a batch as people name them.

    Args:
        expected: clip, edit and method of each edited video, by id.
    """
    ids = dict.fromkeys((clip, edit) for clip, edit, *_ in expected)
    return [(name_of(names, clip), name_of(names, clip, edit)) for clip, edit in ids]


def find_edits(given: Sequence[str], known: Sequence[Edit]) -> list[Edit]:
    """Return the edits that a command line names.

    Args:
        given: CLIP/EDIT, or a pattern of such, with * and ?; a clip's name alone stands for all of its edits.

    Raises:
        InputError: one fits none; all of them are told.
    """
    found, problems = dict[Edit, None](), []
    paths = {edit: "/".join(edit) for edit in known}
    for word in given:
        fitting = [edit for edit, path in paths.items() if word in (path, edit[0])]
        fitting = fitting or [edit for edit, path in paths.items() if fnmatch.fnmatchcase(path, word)]
        if not fitting:
            expected = nearest_known(word, list(paths.values())) if len(paths) < 1000 else "CLIP/EDIT of this batch"
            problems.append(Problem("edits", f"'{printable(word)}'", expected))
        found |= dict.fromkeys(fitting)
    if problems:
        raise InputError(problems)
    return list(found)


def read_saved(path: Path, known: Sequence[Edit]) -> dict[Edit, Decision | None]:
    """Read the decisions that were saved from the page; None: it is undecided.

    Raises:
        InputError: it is no such file, or names an edit that is not there; all problems are told.
    """
    place, there = str(path), set(known)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("it is too large")
        entries = json.loads(path.read_text(encoding="utf-8"))["decisions"]
        rows = [(str(entry["clip"]), str(entry["edit"]), entry["decision"]) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        expected = "the file that 'Save decisions' of the page RESULTS/prepare.html made"
        raise InputError([Problem(place, f"no decisions ({type(error).__name__})", expected)]) from None
    problems = []
    for clip, edit, decision in rows:
        if (clip, edit) not in there:
            problems.append(Problem(place, f"'{printable(f'{clip}/{edit}')}'", "an edit of this batch"))
        elif decision not in (*get_args(Decision), UNDECIDED):
            problems.append(Problem(place, f"'{printable(str(decision))}'", f"one of {', '.join(get_args(Decision))}"))
    if problems:
        raise InputError(problems)
    return {(clip, edit): None if decision == UNDECIDED else decision for clip, edit, decision in rows}
