"""Which edits a person lets be made: approved, held or rejected, in a small table that a person can read and change."""

import csv
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from lib.config.sections import Heeded
from lib.core.errors import InputError, Problem
from lib.core.files import read_json, whole_file, write_json
from lib.core.names import name_of
from lib.core.text import printable
from lib.inputs.clips import Batch

FILE = "decisions.tsv"  # in the results folder
Decision = Literal["approved", "held", "rejected"]
Decisions = Mapping[tuple[str, str], Decision]
"""By the names of clip and edit, as they are shown; see `lib.core.names`."""

COLUMNS = ["clip", "edit", "decision"]
MEND = {"held": "./batch approve CLIP/EDIT", "rejected": "./batch approve CLIP/EDIT, if it is wanted after all"}


def read_decisions(results: Path) -> dict[tuple[str, str], Decision]:
    """Read what was decided of a batch; nothing where nobody has decided anything.

    Raises:
        InputError: the table cannot be read; each line that is wrong is told.
    """
    path = results / FILE
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return {}
    lines = list(csv.reader(io.StringIO(text), delimiter="\t"))
    problems, decisions = [], dict[tuple[str, str], Decision]()
    for number, line in enumerate(lines, start=1):
        if line == COLUMNS or not any(line):
            continue
        if len(line) != len(COLUMNS) or line[2] not in get_args(Decision):
            found = printable("\t".join(line))[:120]
            expected = f"clip, edit and one of {', '.join(get_args(Decision))}, with tabs between"
            problems.append(Problem(f"{path}, line {number}", f"'{found}'", expected))
        else:
            decisions[line[0], line[1]] = line[2]  # type: ignore[assignment]  # of Decision, as was just seen
    if problems:
        raise InputError(problems)
    return decisions


def write_decisions(results: Path, decisions: Decisions) -> None:
    """Write the table, ordered by names; whole or not at all."""
    table = io.StringIO()
    writer = csv.writer(table, delimiter="\t", lineterminator="\n")
    writer.writerows([COLUMNS, *([clip, edit, decision] for (clip, edit), decision in sorted(decisions.items()))])
    with whole_file(results / FILE) as path:
        path.write_text(table.getvalue(), encoding="utf-8", errors="surrogateescape")


def leave_out_undone(batch: Batch, decisions: Decisions, heeded: Heeded, place: str) -> Batch:
    """Leave out of a batch what a person has held or rejected, as if it had a problem, which the report then tells.

    Args:
        heeded: `approved_only` leaves out what nobody has approved too; `ignore` nothing.
        place: of the table, for the problems.
    """
    if heeded == "ignore":
        return batch
    clips, problems = [], []
    for clip in batch.clips:
        shown = name_of(batch.names, clip.id)
        edits = []
        for edit in clip.edits:
            name = name_of(batch.names, clip.id, edit.id)
            if why := _why_not(decisions.get((shown, name)), heeded):
                problems.append(Problem(place, *why, clip=shown, edit=name))
            else:
                edits.append(edit)
        clips += [replace(clip, edits=tuple(edits))] if edits else []
    return replace(batch, clips=tuple(clips), problems=(*batch.problems, *problems))


def _why_not(decision: Decision | None, heeded: Heeded) -> tuple[str, str] | None:
    """Return what was found and what would let an edit be made; None where it may be."""
    if decision in MEND:
        return decision, MEND[decision]
    if decision is None and heeded == "approved_only":
        return "not approved", "./batch approve CLIP/EDIT, after a look at what ./batch prepare shows"
    return None


def decisions_of_run(results: str | Path, kept: Path, is_main: bool) -> dict[tuple[str, str], Decision]:
    """Return the decisions that a run goes by: all of its jobs see the same edits, whatever is decided meanwhile.

    Args:
        kept: of `keep_decisions`.
        is_main: whether this is the process that plans; else those that it began with are read.

    Raises:
        InputError: see `read_decisions`.
    """
    if is_main:
        return read_decisions(Path(results))
    return {(clip, edit): decision for clip, edit, decision in (read_json(kept) if kept.exists() else [])}


def keep_decisions(decisions: Decisions, kept: Path) -> None:
    """Keep the decisions that a run begins with, for its jobs."""
    write_json(kept, [[clip, edit, decision] for (clip, edit), decision in decisions.items()])
