"""p of Wilcoxon's signed-rank test, against values computed by hand and by listing every choice of signs."""

from itertools import product

import numpy as np
import pytest

from lib.report.paired_tests import MOST_EXACT, signed_rank_p


def _by_listing(differences: list[float]) -> float:
    """Count the choices of signs that are as one-sided, one by one."""
    sizes = [abs(difference) for difference in differences if difference]
    ranks = [sum(other < size for other in sizes) + (sizes.count(size) + 1) / 2 for size in sizes]
    signs = [difference > 0 for difference in differences if difference]

    def least(chosen: tuple[bool, ...]) -> float:
        positive = sum(rank for rank, is_positive in zip(ranks, chosen, strict=True) if is_positive)
        return min(positive, sum(ranks) - positive)

    found = least(tuple(signs))
    choices = list(product([True, False], repeat=len(ranks)))
    return sum(least(chosen) <= found for chosen in choices) / len(choices)


@pytest.mark.parametrize(
    ("differences", "p"),
    [([1.0, 2, 3, 4, 5], 2 / 32), ([1.0, 2, 3, 4, 5, 6], 2 / 64), ([1.0], 1.0), ([1.0, -1.0], 1.0), ([3.0, 0, 0], 1.0)],
)
def test_small_cases_are_those_of_the_tables(differences: list[float], p: float) -> None:
    """Six pairs are the fewest that fall below 0.05."""
    assert signed_rank_p(differences) == pytest.approx(p)


def test_ties_are_exact_too() -> None:
    """Equal sizes share their ranks."""
    random = np.random.default_rng(0)
    for _ in range(20):
        differences = [float(value) for value in random.integers(-3, 5, 9)]
        expected = _by_listing(differences)
        assert signed_rank_p(differences) == pytest.approx(min(1.0, expected)), differences


def test_many_pairs_go_over_into_the_normal_distribution() -> None:
    """One more pair than is counted exactly changes p by little."""
    values = list(np.random.default_rng(1).normal(0.25, 1, MOST_EXACT + 1))
    exact, normal = signed_rank_p(values[:-1]), signed_rank_p(values)
    assert exact == pytest.approx(normal, rel=0.2) and 0 < exact < 1


def test_without_any_difference_there_is_no_p() -> None:
    """Neither of nothing nor of a method that is the same."""
    assert signed_rank_p([]) is None and signed_rank_p([0.0, 0.0]) is None
