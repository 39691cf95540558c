"""Which samples each training step sees."""

from itertools import accumulate, cycle, islice, pairwise

import numpy as np


def make_schedule(
    num_steps: int,
    num_samples: tuple[int, int, int],
    copies_share: float,
    references_share: float = 0.0,
    reference_draws: int = 1,
) -> list[tuple[int, ...]]:
    """Return the samples of each step, counted through the source's windows, recoloured copies and references.

    Args:
        num_steps: of the stage.
        num_samples: windows of the source, at least one; recoloured copies; references. Those of a kind take turns.
        copies_share: of the steps that are not on references, how many are on copies; spread evenly.
        references_share: of all steps.
        reference_draws: samples of a step on references; one that comes several times has several noise levels.
    """
    ends = list(accumulate(num_samples, initial=0))
    windows, copies, references = (cycle(range(start, end)) for start, end in pairwise(ends))
    _, num_copies, num_references = num_samples
    on_reference = _spread(num_steps, references_share if num_references else 0.0)
    on_copy = iter(_spread(on_reference.count(False), copies_share if num_copies else 0.0))
    return [
        tuple(islice(references, reference_draws)) if turn else (next(copies if next(on_copy) else windows),)
        for turn in on_reference
    ]


def shuffled_schedule(num_steps: int, num_samples: int, samples_per_step: int, seed: int) -> list[tuple[int, ...]]:
    """Return the samples of each step of a training on many: all of them in random order, then in another.

    Args:
        num_steps: of the training.
        num_samples: to choose from, at least one.
        samples_per_step: of a step.
        seed: of the order.
    """
    generator = np.random.default_rng(seed)
    needed = num_steps * samples_per_step
    rounds = [generator.permutation(num_samples) for _ in range(-(-needed // num_samples))]
    order = np.concatenate(rounds)[:needed].reshape(num_steps, samples_per_step) if needed else np.empty((0, 0))
    return [tuple(int(sample) for sample in step) for step in order]


def count_steps(num_steps: int, num_more: int, num_references: int) -> int:
    """Return the steps of stage 2: num_steps for one reference, num_more for each after the first."""
    return num_steps + num_more * (num_references - 1)


def _spread(num_steps: int, share: float) -> list[bool]:
    """Choose a share of steps, evenly."""
    return [int((step + 1) * share) > int(step * share) for step in range(num_steps)]
