"""What people are asked: the paper's two questions and the user's own."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lib.core.errors import InputError, Problem

MOST_LABEL = 40  # characters of what a table's column can be called
MOST_TEXT = 500  # characters
MOST_QUESTIONS = 20


@dataclass(frozen=True)
class Question:
    """A question and what the tables call it."""

    label: str
    text: str


PAPER = (
    Question("Motion consistency", "How well does the edited part move as it does in the source?"),
    Question("Background preservation", "How well is all that was not to be edited kept as it is in the source?"),
)


def choose_questions(own: Sequence[str], file: Path | None) -> list[Question]:
    """Return the paper's two questions and the user's own, or those of a file in their place.

    Args:
        own: each `LABEL: QUESTION`, or just a question.
        file: a question a line; empty lines and such that begin with `#` are left out.

    Raises:
        InputError: a file that cannot be read, no question, or one that two of them are.
    """
    lines = [] if file is None else _read_lines(file)
    asked = [*(PAPER if file is None else ()), *(_parse(line) for line in [*lines, *own])]
    place = "--question" if file is None else str(file)
    if not asked or len(asked) > MOST_QUESTIONS:
        raise InputError([Problem(place, f"{len(asked)} questions", f"1 to {MOST_QUESTIONS}, one a line")])
    twice = [question.label for index, question in enumerate(asked) if question.label in _labels(asked[:index])]
    if twice:
        raise InputError([Problem(place, f"'{twice[0]}' twice", "another label before its first ': '")])
    return asked


def _labels(questions: Sequence[Question]) -> set[str]:
    return {question.label for question in questions}


def _read_lines(file: Path) -> list[str]:
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([Problem(str(file), f"no text that can be read ({error})", "a question a line")]) from None
    return [line for line in lines if line and not line.startswith("#")]


def _parse(line: str) -> Question:
    """Take a label off a question that begins with one."""
    text = " ".join(unicodedata.normalize("NFC", line).split())
    if not text or len(text) > MOST_TEXT:
        raise InputError([Problem("question", f"{len(text)} characters", f"1 to {MOST_TEXT} characters")])
    label, colon, rest = text.partition(": ")
    return Question(label, rest) if colon and rest and len(label) <= MOST_LABEL else Question(text, text)
