"""How alike people answer: Kendall's W of whole orders, Fleiss' kappa of choices between two."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from lib.study.plan import Mode


@dataclass(frozen=True)
class Agreement:
    """How alike people answer a question.

    Args:
        name: of the measure.
        value: 1: all alike; None: one person alone, or where it is not defined.
        by_chance: the value that answers at random have on the mean.
        alike: the share of two people's judgements of two videos that are the same, 0 to 1; None: one person alone.
    """

    name: str
    value: float | None
    by_chance: float
    alike: float | None


def measure_agreement(ranks: NDArray[np.float64], mode: Mode) -> Agreement:
    """Measure how alike people answer a question.

    Args:
        ranks: (people, items, methods), NaN of a method that an item lacks; see `lib.study.answers.Ranks`.
    """
    num_people = ranks.shape[0]
    counts = _count_judgements(ranks)
    alike = float(_alike(counts).mean()) if num_people > 1 else None
    if mode == "sets":
        return Agreement("Kendall's W", kendall_w(ranks), 1 / num_people, alike)
    return Agreement("Fleiss' kappa", fleiss_kappa(counts), 0.0, alike)


def kendall_w(ranks: NDArray[np.float64]) -> float | None:
    """Return Kendall's coefficient of concordance of each item, averaged over items.

    Kendall and Babington Smith (1939): 12 S / (m² (k³ - k)) of m people and k methods, S the sum of squares of the
    methods' rank sums around their mean. Without ties, as sets are ranked. Ranks at random give 1/m.

    Args:
        ranks: (people, items, methods).
    """
    num_people, _, num_methods = ranks.shape
    if num_people < 2:
        return None
    sums = ranks.sum(axis=0)
    squares = ((sums - sums.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    return float((12 * squares / (num_people**2 * (num_methods**3 - num_methods))).mean())


def fleiss_kappa(counts: NDArray[np.float64]) -> float | None:
    """Return Fleiss' kappa of choices between two, with each pair counted in both orders.

    Fleiss (1971). Which of two videos is called the first means nothing, so that both are taken as chosen equally
    often by chance: where all prefer the same method in all pairs, people agree, and kappa is 1.

    Args:
        counts: (pairs, 3), people who prefer the first, the second, neither.
    """
    num_people = counts.sum(axis=1)[0]
    if num_people < 2:
        return None
    first, second, neither = counts.sum(axis=0) / counts.sum()
    by_chance = float((first + second) ** 2 / 2 + neither**2)
    return (float(_alike(counts).mean()) - by_chance) / (1 - by_chance) if by_chance < 1 else None


def _count_judgements(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Count for each item and two of its methods how many people prefer the one, the other, neither: (pairs, 3)."""
    counts = []
    for one, other in combinations(range(ranks.shape[2]), 2):
        less = ranks[:, :, one] - ranks[:, :, other]  # (people, items)
        shown = less[:, ~np.isnan(less[0])]
        counts.append(np.stack([(shown < 0).sum(axis=0), (shown > 0).sum(axis=0), (shown == 0).sum(axis=0)], axis=1))
    return np.concatenate(counts).astype(np.float64)


def _alike(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each row the share of pairs of people who say the same."""
    num_people = counts.sum(axis=1)
    alike: NDArray[np.float64] = (counts * (counts - 1)).sum(axis=1) / (num_people * (num_people - 1))
    return alike
