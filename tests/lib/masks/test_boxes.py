"""Boxes of an object through a clip: a path without jumps."""

import numpy as np

from lib.masks.boxes import smooth_path


def test_smoothing_drops_a_jump_and_keeps_up_with_motion() -> None:
    """One stray box vanishes, and a fast object stays inside its smoothed boxes."""
    boxes = np.array([[10.0 * t, 0, 10 * t + 20, 20] for t in range(9)])
    smooth = smooth_path(boxes, 2)
    assert (smooth[:, :2] <= boxes[:, :2]).all() and (smooth[:, 2:] >= boxes[:, 2:]).all()
    still = np.tile([50.0, 50, 60, 60], (9, 1))
    still[4] = [0, 0, 160, 120]
    assert (smooth_path(still, 2) == [50, 50, 60, 60]).all()
