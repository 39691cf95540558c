"""Edits that are not made for their mask: one of them must not keep its clip's other edits from being made.

Its mask is written all the same, empty, with the reason in its facts: what the clip's edits share goes on without it,
and what is made for it alone fails and says why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from lib.core.errors import InputError, Problem
from lib.core.files import read_json

REFUSED = "refused"  # in the facts of a mask


def refusal(problem: Problem, clip: str, edit: str) -> dict[str, Any]:
    """Return what the facts of a mask say of an edit that is not made."""
    return {REFUSED: asdict(replace(problem, clip=clip, edit=edit))}


def read_refusal(facts: Path) -> Problem | None:
    """Return why an edit is not made; None: it is."""
    known: Mapping[str, Any] = read_json(facts)
    return Problem(**known[REFUSED]) if REFUSED in known else None


def refuse(facts: Sequence[Path]) -> None:
    """Go no further with edits none of which is made.

    Raises:
        InputError: why each is not.
    """
    problems = [read_refusal(path) for path in facts]
    if all(problems):
        raise InputError([problem for problem in problems if problem])
