"""What a user did wrong, said so that it can be mended without reading code."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Problem:
    """One thing about the inputs that has to change.

    Args:
        place: the file, folder or config key that is wrong.
        found: what is there now.
        expected: what would be right.
        clip: the clip it concerns; None for the whole batch.
        edit: the edit it concerns; None for the whole clip.
    """

    place: str
    found: str
    expected: str
    clip: str | None = None
    edit: str | None = None

    def __str__(self) -> str:
        owner = f"clip '{self.clip}': " if self.clip is not None else ""
        if self.edit is not None:
            owner = f"{owner.rstrip(': ')}, edit '{self.edit}': "
        return f"{owner}{self.place}: found {self.found}; expected {self.expected}"


class InputError(Exception):
    """Something a user gave cannot be used; carries every problem found, not only the first.

    Args:
        problems: at least one.
        kind: of `lib.core.failures.Kind`: what was given, or what came of computing with it.
    """

    def __init__(self, problems: Sequence[Problem], kind: Literal["input", "not_a_number"] = "input") -> None:
        assert problems, "an InputError needs at least one problem"
        self.problems = list(problems)
        self.kind = kind
        super().__init__("\n".join(str(problem) for problem in problems))


class InterruptionError(Exception):
    """A stage was told to stop, and has kept what it did."""


def nearest_known(key: str, known: Sequence[str]) -> str:
    """Say what an unknown key should have been: the known one most like it, or else the whole list."""
    nearest = difflib.get_close_matches(key, known, n=1)
    return f"'{nearest[0]}' (the nearest known key)" if nearest else f"one of {', '.join(known)}"
