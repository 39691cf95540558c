"""The files that people send back, each checked against the study."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, FiniteFloat, NonNegativeFloat, ValidationError

from lib.core.errors import InputError, Problem
from lib.core.text import printable
from lib.study.plan import Study

MOST_BYTES = 20_000_000  # of a file of answers
Ranks = NDArray[np.float64]
"""(questions, people, items, methods): 1 is best, equal ones share their mean; NaN of a method that an item lacks."""


class Answer(BaseModel):
    """What a person said of an item to a question, counted from 0; ranks by the videos' names on the page."""

    item: str
    question: int
    ranks: dict[str, FiniteFloat]
    seconds: NonNegativeFloat = Field(allow_inf_nan=False)


class AnswerFile(BaseModel):
    """What the page saves for a person."""

    study: str
    person: str
    finished: datetime
    answers: list[Answer]


@dataclass(frozen=True)
class Answers:
    """All that can be used of what people sent back.

    Args:
        people: their codes.
        ranks: see `Ranks`.
        median_seconds: that an answer took.
        problems: files that were not used, and why.
    """

    people: Sequence[str]
    ranks: Ranks
    median_seconds: float
    problems: Sequence[Problem]


def read_answers(places: Iterable[Path], study: Study) -> Answers:
    """Read files of answers; what cannot be used is told and left out.

    Args:
        places: files, and folders of files that end in .json.

    Raises:
        InputError: no file can be used.
    """
    used: dict[str, tuple[Path, AnswerFile]] = {}
    problems: list[Problem] = []
    for path in _list_files(places):
        try:
            file = _read_file(path, study)
        except InputError as error:
            problems += error.problems
            continue
        person = _fold(file.person)
        if person in used:
            problems.append(_tell_twice((path, file), used[person]))
        if person not in used or file.finished.timestamp() > used[person][1].finished.timestamp():
            used[person] = (path, file)
    if not used:
        raise InputError(problems or [Problem("answers", "no file", "files that the study's page saved")])
    files = [file for _, file in used.values()]
    seconds = median(answer.seconds for file in files for answer in file.answers)
    return Answers([file.person for file in files], _tabulate(files, study), seconds, problems)


def _list_files(places: Iterable[Path]) -> list[Path]:
    """List each file once; a folder's by name."""
    found = [path for place in places for path in (sorted(place.glob("*.json")) if place.is_dir() else [place])]
    return list({path.resolve(): path for path in found}.values())


def _read_file(path: Path, study: Study) -> AnswerFile:
    place, expected = printable(str(path)), "a file that the study's page saved, as it is"
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError([Problem(place, f"more than {MOST_BYTES // 1_000_000} MB", expected)])
        file = AnswerFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError([Problem(place, f"no file that can be read ({error.strerror})", expected)]) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise InputError([Problem(place, printable(f"{where}: {first['msg']}"), expected)]) from None
    if file.study != study.id:
        found = f"answers to another study ({printable(file.study[:40])})"
        raise InputError([Problem(place, found, f"answers to study '{study.name}' ({study.id})")])
    if reason := _find_fault(file, study):
        raise InputError([Problem(place, reason, expected)])
    given = {(answer.item, answer.question) for answer in file.answers}
    num_asked = len(study.items) * len(study.questions)
    if len(given) < num_asked:
        found = f"an unfinished study of '{printable(file.person)}': {len(given)} of {num_asked} answers"
        raise InputError([Problem(place, found, "all answers")])
    return file


def _find_fault(file: AnswerFile, study: Study) -> str | None:
    """Say what of a file the page cannot have written; None: nothing."""
    videos = {item.id: item.videos.keys() for item in study.items}
    seen: set[tuple[str, int]] = set()
    if not _fold(file.person):
        return "no person's code"
    for answer in file.answers:
        key = (answer.item, answer.question)
        if answer.item not in videos or not 0 <= answer.question < len(study.questions):
            return f"an answer to what was not asked ({printable(answer.item[:40])}, {answer.question})"
        if key in seen:
            return f"two answers to item {answer.item}, question {answer.question}"
        seen.add(key)
        in_order = sorted(answer.ranks.values())
        is_tie = study.mode == "pairs" and in_order == [1.5, 1.5]
        if answer.ranks.keys() != videos[answer.item] or not (is_tie or in_order == [*range(1, len(in_order) + 1)]):
            return f"ranks of item {answer.item} that are no order of its videos"
    return None


def _tell_twice(one: tuple[Path, AnswerFile], other: tuple[Path, AnswerFile]) -> Problem:
    older, newer = sorted([one, other], key=lambda pair: pair[1].finished.timestamp())
    same = ", with the same answers" if older[1].answers == newer[1].answers else ""
    found = f"'{printable(older[1].person)}' twice{same}: {printable(str(newer[0]))} was finished later and is used"
    return Problem(printable(str(older[0])), found, "one file for each person; of two people, another 'person' in one")


def _fold(person: str) -> str:
    return " ".join(unicodedata.normalize("NFC", person).casefold().split())


def _tabulate(files: Sequence[AnswerFile], study: Study) -> Ranks:
    items = {item.id: index for index, item in enumerate(study.items)}
    columns: Mapping[str, int] = {method: index for index, method in enumerate(study.methods)}
    methods = {token: columns[method] for item in study.items for token, method in item.videos.items()}
    ranks = np.full((len(study.questions), len(files), len(items), len(columns)), np.nan)
    for person, file in enumerate(files):
        for answer in file.answers:
            for token, rank in answer.ranks.items():
                ranks[answer.question, person, items[answer.item], methods[token]] = rank
    return ranks
