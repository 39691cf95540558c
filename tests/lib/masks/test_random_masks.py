"""Masks of no edit look like loose boxes that follow something."""

import numpy as np

from lib.masks.random_masks import LEAST_SIDE, MOST_GROWTH, MOST_SIDE, draw_random_mask


def test_random_masks_are_boxes_that_wander() -> None:
    """One box a frame, of bounded size, the same within a latent frame, elsewhere at the end; the seed decides."""
    shape, moved = (17, 96, 160), 0
    for seed in range(30):
        mask = draw_random_mask(np.random.default_rng(seed), shape, frame_stride=4)
        assert mask.shape == shape and mask.any()
        assert np.array_equal(mask, draw_random_mask(np.random.default_rng(seed), shape, frame_stride=4))
        for first in range(1, 17, 4):
            assert (mask[first : first + 4] == mask[first]).all()
        for plane in mask:
            rows, columns = np.flatnonzero(plane.any(axis=1)), np.flatnonzero(plane.any(axis=0))
            assert plane[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all(), "a box"
        assert LEAST_SIDE**2 * 0.1 < mask.mean() < (MOST_SIDE * MOST_GROWTH) ** 2 * 1.5
        moved += not np.array_equal(mask[0], mask[-1])
    assert moved == 30
