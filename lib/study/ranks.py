"""From answers to mean ranks and preferences, with confidence intervals over people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from lib.study.agreement import Agreement, measure_agreement
from lib.study.answers import Answers
from lib.study.plan import Study
from lib.study.questions import Question

NUM_RESAMPLES = 10_000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over people and its 95 % confidence interval; None: of one person alone."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Verdict:
    """What people say to a question.

    Args:
        ranks: by method, 1 is best.
        wins: by two methods, the share of judgements that prefer the first, 0 to 1; no difference counts as half.
    """

    question: Question
    ranks: Mapping[str, Estimate]
    wins: Mapping[tuple[str, str], Estimate]
    agreement: Agreement


@dataclass(frozen=True)
class Outcome:
    """All that people said in a study."""

    study: Study
    verdicts: Sequence[Verdict]
    num_people: int
    num_answers: int
    median_seconds: float


def evaluate_answers(study: Study, answers: Answers) -> Outcome:
    """Turn people's ranks into a verdict for each question."""
    num_people = len(answers.people)
    draws = np.random.default_rng(study.seed).integers(num_people, size=(NUM_RESAMPLES, num_people))
    verdicts = []
    for question, ranks in zip(study.questions, answers.ranks, strict=True):
        own = mean_ranks(ranks) if study.mode == "sets" else ranks_of_points(ranks)
        estimates = {method: _estimate(own[:, index], draws) for index, method in enumerate(study.methods)}
        agreement = measure_agreement(ranks, study.mode)
        verdicts.append(Verdict(question, estimates, _count_wins(ranks, list(study.methods), draws), agreement))
    num_answers = num_people * len(study.items) * len(study.questions)
    return Outcome(study, verdicts, num_people, num_answers, answers.median_seconds)


def mean_ranks(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average each person's ranks over items: (people, items, methods) to (people, methods)."""
    means: NDArray[np.float64] = np.nanmean(ranks, axis=1)
    return means


def ranks_of_points(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank methods for each person by the share of their pairs that they won; equal ones share their mean rank.

    Args:
        ranks: (people, items, methods), of items of two methods.

    Returns:
        (people, methods), 1 is best.
    """
    lost = np.round(mean_ranks(ranks), 9)  # 1: each pair won, 2: each lost
    one, other = lost[:, :, None], lost[:, None, :]
    better = (other < one).sum(axis=2)
    equal = (other == one).sum(axis=2) - 1  # but itself
    own: NDArray[np.float64] = 1 + better + equal / 2
    return own


def _count_wins(
    ranks: NDArray[np.float64], methods: Sequence[str], draws: NDArray[np.int64]
) -> dict[tuple[str, str], Estimate]:
    wins = {}
    for one, other in permutations(range(len(methods)), 2):
        less = ranks[:, :, one] - ranks[:, :, other]  # (people, items)
        points = np.where(np.isnan(less), np.nan, (less < 0) + (less == 0) / 2)
        wins[methods[one], methods[other]] = _estimate(np.nanmean(points, axis=1), draws)
    return wins


def _estimate(values: NDArray[np.float64], draws: NDArray[np.int64]) -> Estimate:
    """Average over people; the interval holds the middle 95 % of the means over people drawn anew (bootstrap)."""
    if len(values) < 2:
        return Estimate(float(values.mean()), None, None)
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(values[draws].mean(axis=1), [tail, 100 - tail])
    return Estimate(float(values.mean()), float(low), float(high))
