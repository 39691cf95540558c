"""The tables of what people said: the same figures in every format, names as text, captions that say what was done."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from lib.study.answers import Answers
from lib.study.ranks import Outcome, evaluate_answers
from lib.study.tables import as_csv, as_latex, as_markdown, write_study_tables
from tests.lib.study.example_study import HOSTILE_NAME, make_study


def _outcome(num_people: int = 4, name: str = HOSTILE_NAME) -> Outcome:
    """Let all but one person rank three methods alike."""
    study = make_study("sets", 3, 2)
    study.methods["m1"] = name  # type: ignore[index]
    ranks = np.tile(np.array([2.0, 1.0, 3.0]), (2, num_people, 2, 1))
    ranks[:, 0] = [1.0, 2.0, 3.0]
    return evaluate_answers(study, Answers([str(n) for n in range(num_people)], ranks, 6.25, []))


def test_ranks_stand_by_method_and_question_with_the_best_in_bold() -> None:
    """With their intervals; names cannot end a cell."""
    markdown, latex = as_markdown(_outcome()), as_latex(_outcome())
    assert "| Method | Motion consistency ↓ | Background preservation ↓ |" in markdown
    assert '| </script><b>"A tool" \\| 100%_& | **1.25 [1.00, 1.75]** | **1.25 [1.00, 1.75]** |' in markdown
    assert "| M2 | 3.00 [3.00, 3.00] |" in markdown
    assert r"100\%\_\& & \textbf{1.25 [1.00, 1.75]}" in latex and "100%_&" not in latex
    assert latex.count(r"\begin{table}") == latex.count(r"\end{table}") == 4
    assert "| M0 | – | 25 % [0, 75] | 100 % [100, 100] |" in markdown


def test_captions_say_what_was_done() -> None:
    """How many people, which interval, which measure of agreement and what it is by chance; no person's code."""
    for text in (as_markdown(_outcome()), as_latex(_outcome())):
        for words in ("over 4 people, 1 is best", "2 sets of 2 edits, 16 answers", "6.2 s in the median",
                      "bootstrap over people", "concordance W", "at random give 0.25", "Asked: Motion"):  # fmt: skip
            assert words in text, words
    assert "No interval: one person alone" in as_markdown(_outcome(num_people=1))
    pairs = make_study("pairs", 2, 2)
    ranks = np.tile(np.array([1.0, 2.0]), (2, 3, 2, 1))
    markdown = as_markdown(evaluate_answers(pairs, Answers(["a", "b", "c"], ranks, 1.0, [])))
    assert "Fleiss' kappa of the choices" in markdown and "no difference counting as half" in markdown
    assert "| Motion consistency | 1.00 | 100 % | 3 | 6 |" in markdown


def test_the_csv_has_every_figure(tmp_path: Path) -> None:
    """A line for each mean rank, preference, agreement and count, with all digits."""
    lines = list(csv.DictReader(io.StringIO(as_csv(_outcome()))))
    found = {(line["question"], line["figure"], line["method"], line["over"]): line for line in lines}
    rank = found["Motion consistency", "mean_rank", "m1", ""]
    assert (float(rank["value"]), float(rank["low"]), rank["method_name"]) == (1.25, 1.0, HOSTILE_NAME)
    assert float(found["Background preservation", "preferred", "m0", "m1"]["value"]) == 0.25
    assert float(found["Motion consistency", "Kendall's W", "", ""]["value"]) == pytest.approx(0.8125)
    assert found["Motion consistency", "num_people", "", ""]["value"] == "4"
    written = write_study_tables(_outcome(), tmp_path / "tables")
    assert [path.name for path in written] == ["study_rivals.md", "study_rivals.tex", "study_rivals.csv"]
