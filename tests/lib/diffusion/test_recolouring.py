"""Recoloured copies of a clip differ in colour and in nothing else."""

import numpy as np

from lib.config.sections import MOST_COPIES
from lib.diffusion.recolouring import recolour_video


def test_each_copy_has_other_colours_and_the_same_shapes() -> None:
    """All copies and the clip differ from one another; edges stay where they are, as strong as they were."""
    video = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), np.uint8)
    copies = [recolour_video(video, copy) for copy in range(1, MOST_COPIES + 1)]
    assert len({picture.tobytes() for picture in [video, *copies]}) == MOST_COPIES + 1
    for picture in copies:
        assert picture.shape == video.shape and picture.dtype == np.uint8
        edges, own_edges = (np.abs(np.diff(frames.astype(int), axis=2)).sum(axis=-1) for frames in (picture, video))
        assert np.array_equal(edges, own_edges)
