"""Whether paired differences are more than chance: the Wilcoxon signed-rank test, in two directions."""

import math
from collections.abc import Sequence
from statistics import NormalDist

MOST_EXACT = 60  # pairs; beyond, the normal distribution is as good


def signed_rank_p(differences: Sequence[float]) -> float | None:
    """Return how likely differences at least as one-sided as these are, if each could as well have the other sign.

    Wilcoxon (1945), "Individual comparisons by ranking methods". Pairs without a difference are left out, equal ones
    share their ranks, and the distribution is that of these very ranks: exact up to MOST_EXACT pairs, beyond that the
    normal one with their variance and a correction for continuity.

    Returns:
        p in (0, 1]; None without any difference.
    """
    ranked = sorted((difference for difference in differences if difference != 0), key=abs)
    if not ranked:
        return None
    ranks = _doubled_ranks([abs(difference) for difference in ranked])
    positive = sum(rank for rank, difference in zip(ranks, ranked, strict=True) if difference > 0)
    least = min(positive, sum(ranks) - positive)
    if len(ranks) > MOST_EXACT:
        deviation = math.sqrt(sum(rank * rank for rank in ranks)) / 2
        below = NormalDist().cdf((least + 1 - sum(ranks) / 2) / deviation)  # ranks are doubled: 1 is half a rank
    else:
        below = _share_up_to(least, ranks)
    return min(1.0, 2 * below)


def _doubled_ranks(sizes: Sequence[float]) -> list[int]:
    """Return the ranks of rising sizes, twice as high, so that the mean rank of equal ones is whole."""
    ranks: list[int] = []
    while len(ranks) < len(sizes):
        first = len(ranks)
        num_equal = sum(1 for size in sizes[first:] if size == sizes[first])
        ranks += [2 * first + num_equal + 1] * num_equal
    return ranks


def _share_up_to(most: int, ranks: Sequence[int]) -> float:
    """Return the share of all choices of signs in which the positive ranks sum up to `most` or less."""
    counts = [1] + [0] * sum(ranks)  # choices by their sum
    for rank in ranks:
        counts = [count + (counts[total - rank] if total >= rank else 0) for total, count in enumerate(counts)]
    return sum(counts[: most + 1]) / (1 << len(ranks))
