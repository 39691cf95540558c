"""Files that people send back are checked; what cannot be used is named and left out."""

import json
from pathlib import Path

import numpy as np
import pytest

from lib.core.errors import InputError
from lib.study.answers import read_answers
from tests.lib.study.example_study import judge, make_study, write_answers

STUDY = make_study("pairs", 3, 2)
GOOD = judge(STUDY, (1, 0, -1), np.random.default_rng(0), doubt=0.5)


def _changed(**changes: object) -> list[dict]:
    return [{**GOOD[0], **changes}, *GOOD[1:]]


def test_good_files_are_read_by_folder_and_by_name_each_once(tmp_path: Path) -> None:
    """A folder, and a file of it named again; ranks land at their method."""
    path = write_answers(tmp_path, STUDY, "anna", GOOD)
    write_answers(tmp_path, STUDY, "ben", GOOD)
    (tmp_path / "notes.txt").write_text("not asked for")
    answers = read_answers([tmp_path, path], STUDY)
    assert (list(answers.people), answers.problems, answers.median_seconds) == (["anna", "ben"], [], 4.0)
    assert answers.ranks.shape == (2, 2, 6, 3)
    first = STUDY.items[0]
    for token, rank in GOOD[0]["ranks"].items():
        assert answers.ranks[0, 0, 0, list(STUDY.methods).index(first.videos[token])] == rank
    assert np.isnan(answers.ranks[0, 0, 0]).sum() == 1, "the method that the pair lacks"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"study": "ffff00001111"}, r"answers to another study \(ffff00001111\); expected answers to study 'rivals'"),
        ({"answers": GOOD[:-2]}, r"an unfinished study of 'cleo': 10 of 12 answers"),
        ({"answers": [*GOOD, GOOD[0]]}, r"two answers to item i0-0, question 0"),
        ({"answers": _changed(item="i9")}, r"an answer to what was not asked \(i9, 0\)"),
        ({"answers": _changed(question=7)}, r"not asked"),
        ({"answers": _changed(ranks={"v0-0-m0": 1.0, "v0-0-m1": 1.0})}, r"ranks of item i0-0 that are no order"),
        ({"answers": _changed(ranks={"v0-0-m0": 1.0, "other": 2.0})}, r"ranks of item i0-0"),
        ({"answers": _changed(ranks={"v0-0-m0": float("nan"), "v0-0-m1": 1.0})}, r"finite number"),
        ({"answers": _changed(seconds=-1)}, r"answers.0.seconds"),
        ({"answers": "all of them"}, r"answers: Input should be a valid"),
        ({"person": " \n "}, r"no person's code"),
        ({"person": {"name": "x"}}, r"person: Input should be a valid string"),
        ({"finished": "yesterday"}, r"finished"),
    ],
)
def test_what_cannot_be_used_is_named(changes: dict, told: str, tmp_path: Path) -> None:
    """Alone it is an error; beside a good file it is told and left out."""
    path = write_answers(tmp_path, STUDY, "cleo", GOOD, **changes)
    with pytest.raises(InputError, match=told) as error:
        read_answers([path], STUDY)
    assert str(path) in str(error.value)
    write_answers(tmp_path, STUDY, "anna", GOOD)
    answers = read_answers([tmp_path], STUDY)
    assert list(answers.people) == ["anna"] and [problem.place for problem in answers.problems] == [str(path)]


def test_files_that_are_none_are_told(tmp_path: Path) -> None:
    """Something else, cut off, nested without end, missing; an empty folder."""
    for name, text in (("a", "hello"), ("b", json.dumps(GOOD)[:50]), ("c", "[" * 100_000), ("d", "[]"), ("e", "")):
        (tmp_path / f"{name}.json").write_text(text)
    with pytest.raises(InputError) as error:
        read_answers([tmp_path, tmp_path / "missing.json"], STUDY)
    assert len(error.value.problems) == 6 and "missing.json" in str(error.value)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no file"):
        read_answers([tmp_path / "empty"], STUDY)


def test_a_person_counts_once(tmp_path: Path) -> None:
    """However the code is typed; what was finished last is used, and both files are named."""
    turned = judge(STUDY, (-9, 0, 9), np.random.default_rng(1))
    later = write_answers(tmp_path / "b", STUDY, "Anna ", turned, finished="2026-11-28T12:00:00+01:00")
    early = write_answers(tmp_path / "a", STUDY, "anna", GOOD, finished="2026-11-28T10:30:00Z")
    answers = read_answers([later, early], STUDY)
    assert len(answers.people) == 1 and answers.people == ["Anna "]
    (problem,) = answers.problems
    assert problem.place == str(early) and str(later) in problem.found and "'anna' twice" in problem.found
    assert read_answers([early, later], STUDY).people == ["Anna "]
    copy = write_answers(tmp_path / "c", STUDY, "anna", GOOD, finished="2026-11-28T10:30:00Z")
    assert "with the same answers" in read_answers([early, copy], STUDY).problems[0].found
