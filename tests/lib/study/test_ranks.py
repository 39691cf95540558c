"""35 raters of known preferences: their order comes back, and intervals hold the truth."""

from pathlib import Path

import numpy as np
import pytest

from lib.study.answers import Answers, read_answers
from lib.study.ranks import evaluate_answers, mean_ranks, ranks_of_points
from tests.lib.study.example_study import judge, make_study, write_answers

NUM_RATERS = 35
MERITS = (0.0, 1.2, 0.6, -0.8)  # of m0 ... m3


def _ranks(study, answers: list[list[dict]]) -> np.ndarray:
    """Return the ranks of raters by hand: (1, raters, items, methods) of a study of one question."""
    ranks = np.full((1, len(answers), len(study.items), len(study.methods)), np.nan)
    for rater, given in enumerate(answers):
        for index, (item, answer) in enumerate(zip(study.items, given, strict=True)):
            for token, rank in answer["ranks"].items():
                ranks[0, rater, index, list(study.methods).index(item.videos[token])] = rank
    return ranks


@pytest.mark.parametrize(("mode", "doubt"), [("sets", 0.0), ("pairs", 0.5)])
def test_the_known_order_of_35_raters_comes_back(mode: str, doubt: float, tmp_path: Path) -> None:
    """From files as people send them; better methods have lower ranks and win more often than not."""
    study, chance = make_study(mode, 4, 5), np.random.default_rng(1)
    for rater in range(NUM_RATERS):
        write_answers(tmp_path, study, f"p{rater:02d}", judge(study, MERITS, chance, doubt))
    outcome = evaluate_answers(study, read_answers([tmp_path], study))
    assert outcome.num_people == NUM_RATERS and outcome.num_answers == NUM_RATERS * len(study.items) * 2
    for verdict in outcome.verdicts:
        assert sorted(verdict.ranks, key=lambda method: verdict.ranks[method].mean) == ["m1", "m2", "m0", "m3"]
        assert sum(rank.mean for rank in verdict.ranks.values()) == pytest.approx(1 + 2 + 3 + 4)
        assert all(rank.low <= rank.mean <= rank.high for rank in verdict.ranks.values())
        assert verdict.wins["m1", "m3"].low > 0.5 > verdict.wins["m3", "m1"].high
        assert verdict.wins["m0", "m2"].mean + verdict.wins["m2", "m0"].mean == pytest.approx(1)
    assert evaluate_answers(study, read_answers([tmp_path], study)) == outcome, "seeded"


@pytest.mark.parametrize(("mode", "per_person"), [("sets", mean_ranks), ("pairs", ranks_of_points)])
def test_intervals_hold_the_truth_as_often_as_they_say(mode: str, per_person) -> None:
    """The mean rank of very many raters lies in 95 % of the intervals of 35, give or take what 60 studies can show."""
    study, chance = make_study(mode, 4, 3, make_study(mode, 2, 1).questions[:1]), np.random.default_rng(2)
    many = _ranks(study, [judge(study, MERITS, chance, 0.3) for _ in range(4000)])
    truth = per_person(many[0]).mean(axis=0)
    held = []
    for _ in range(60):
        ranks = _ranks(study, [judge(study, MERITS, chance, 0.3) for _ in range(NUM_RATERS)])
        outcome = evaluate_answers(study, Answers([str(n) for n in range(NUM_RATERS)], ranks, 4.0, []))
        estimates = outcome.verdicts[0].ranks.values()
        held += [rank.low <= true <= rank.high for rank, true in zip(estimates, truth, strict=True)]
    assert 0.88 <= np.mean(held) <= 0.99


def test_pairs_are_ranked_by_what_they_won() -> None:
    """A beats B and C, which do not differ: ranks 1, 2.5 and 2.5."""
    nan = np.nan
    ranks = np.array([[[1, 2, nan], [1, nan, 2], [nan, 1.5, 1.5]]])
    assert ranks_of_points(ranks).tolist() == [[1, 2.5, 2.5]]


def test_one_person_has_no_interval() -> None:
    """Nothing is known of how people differ."""
    study = make_study("sets", 3, 2)
    ranks = np.tile(np.array([1.0, 2.0, 3.0]), (2, 1, 2, 1))
    verdict = evaluate_answers(study, Answers(["a"], ranks, 1.0, [])).verdicts[0]
    assert verdict.ranks["m0"].mean == 1 and verdict.ranks["m0"].low is None
    assert verdict.agreement.value is None and verdict.agreement.alike is None
