"""A metric's values: one number per frame, None where it is undefined."""

import numpy as np

PerFrame = list[float | None]


def mean_score(scores: PerFrame) -> float | None:
    """Return the mean of the defined values; None without any."""
    defined = [score for score in scores if score is not None]
    return float(np.mean(defined)) if defined else None
