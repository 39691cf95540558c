"""Agreement is 1 of raters who are alike, near what chance gives of random ones, and known figures come out."""

import numpy as np
import pytest

from lib.study.agreement import fleiss_kappa, kendall_w, measure_agreement

NUM_RATERS = 35


def _random_sets(chance: np.random.Generator, num_items: int) -> np.ndarray:
    return np.array([[chance.permutation(4) + 1 for _ in range(num_items)] for _ in range(NUM_RATERS)], float)


def _pairs(choices: np.ndarray) -> np.ndarray:
    """Turn choices (raters, items) between two, 0, 1 or 2 for neither, into ranks (raters, items, 2)."""
    return np.array([[1, 2], [2, 1], [1.5, 1.5]])[choices]


def test_alike_raters_agree_wholly() -> None:
    """Also where all of them prefer the same method in every pair."""
    chance = np.random.default_rng(0)
    same = np.repeat(_random_sets(chance, 6)[:1], NUM_RATERS, axis=0)
    assert measure_agreement(same, "sets").value == pytest.approx(1)
    for choices in (chance.integers(3, size=6), np.zeros(6, int)):
        agreed = measure_agreement(_pairs(np.tile(choices, (NUM_RATERS, 1))), "pairs")
        assert (agreed.name, agreed.alike) == ("Fleiss' kappa", 1) and agreed.value == pytest.approx(1)


def test_random_raters_agree_as_by_chance() -> None:
    """Kendall's W is near 1 / raters, Fleiss' kappa near 0, also where "no difference" is rare."""
    chance = np.random.default_rng(1)
    agreed = measure_agreement(_random_sets(chance, 200), "sets")
    assert agreed.by_chance == pytest.approx(1 / NUM_RATERS)
    assert agreed.value == pytest.approx(agreed.by_chance, abs=0.01) and agreed.alike == pytest.approx(0.5, abs=0.02)
    for shares in ([1 / 3, 1 / 3, 1 / 3], [0.47, 0.47, 0.06]):
        choices = chance.choice(3, size=(NUM_RATERS, 200), p=shares)
        assert measure_agreement(_pairs(choices), "pairs").value == pytest.approx(0, abs=0.02)


def test_known_figures() -> None:
    """W of three people by hand; kappa of two people who agree on three pairs of four."""
    ranks = np.array([[[1, 2, 3]], [[1, 3, 2]], [[2, 1, 3]]], float)  # rank sums 4, 6, 8: S = 8
    assert kendall_w(ranks) == pytest.approx(12 * 8 / (9 * 24))
    counts = np.array([[2, 0, 0], [0, 2, 0], [2, 0, 0], [1, 1, 0]], float)
    assert fleiss_kappa(counts) == pytest.approx((0.75 - 0.5) / 0.5)


def test_what_is_not_defined_is_nothing() -> None:
    """One person; and people who never see a difference, who tell nothing of how they choose."""
    assert kendall_w(np.ones((1, 2, 3))) is None
    assert measure_agreement(_pairs(np.full((1, 2), 1)), "pairs").value is None
    assert measure_agreement(_pairs(np.full((5, 2), 2)), "pairs").value is None
