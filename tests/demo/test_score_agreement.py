"""Which scores order methods as the truth does: the figures of `demo.shared_start.agreement` by hand."""

import numpy as np
import pandas as pd
import pytest

from demo.shared_start.agreement import COPY, SCORES, TRUTHS, correlations, table


def rows_of(clip: str, seams: list[float], clip_scores: list[float]) -> list[dict[str, object]]:
    """Return a video each of methods a to d, which are better and better by the truth, and a copy that scores best."""
    rows = []
    for quality, method in enumerate("abcd"):
        truths = {f"truth_{name}": sign * quality for name, sign in TRUTHS.items()}
        scores = {**dict.fromkeys(SCORES, np.nan), "seam": seams[quality], "clip_score": clip_scores[quality]}
        rows.append({"clip": clip, "method": method, **truths, **scores})
    copy = {
        **dict.fromkeys(SCORES, np.nan),
        **{f"truth_{name}": 0.0 for name in TRUTHS},
        "seam": 2.5,
        "clip_score": 9.0,
    }
    return [*rows, {"clip": clip, "method": COPY, **copy}]


def test_correlations_are_of_orders_and_of_what_is_better() -> None:
    """A seam that shrinks as edits get better agrees fully, whatever its values; one swapped pair costs by rule."""
    rows = pd.DataFrame([*rows_of("x", [9, 4, 3, 1], [1, 2, 3, 4]), *rows_of("y", [9, 4, 3, 1], [1, 3, 2, 4])])
    found = correlations(rows[rows["method"] != COPY])
    assert found["seam", "edit"] == pytest.approx([1, 1]) and found["seam", "place"] == pytest.approx([1, 1])
    assert found["clip_score", "whole"] == pytest.approx([1, 1 - 6 * 2 / (4 * 15)])
    assert not len(found["warp_error", "edit"]), "a score that no video has"


def test_table_says_which_scores_a_copy_wins() -> None:
    """The copy's similarity is the highest in every scene, its seam in none."""
    text = table(pd.DataFrame([*rows_of("x", [9, 4, 3, 1], [1, 2, 3, 4]), *rows_of("y", [9, 4, 3, 1], [1, 3, 2, 4])]))
    lines = {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]] for line in text.splitlines()}
    assert lines["clip_score"][-1] == "100%" and lines["seam"][-1] == "0%"
    assert lines["seam"][0] == "+1.00 ± 0.00" and lines["clip_score"][0] == "+0.90 ± 0.10"
    assert lines["warp_error"] == ["-"] * 5
