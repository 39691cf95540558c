"""Recoloured copies of a clip: the same motion in other colours, so that a LoRA learns the motion and not the colours.

Not in the paper. Trained on one clip alone, a LoRA may learn the source's look with its motion and bring it back in
place of the edit; how much that costs and what the copies gain is in docs/sweeps.md.
"""

from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from lib.config.sections import MOST_COPIES


def recolour_video(video: NDArray[np.uint8], copy: int) -> NDArray[np.uint8]:
    """Exchange the colour channels of a video; odd copies are inverted too.

    Args:
        video: (frames, height, width, 3) uint8 RGB.
        copy: 1 to MOST_COPIES; each gives other colours.
    """
    assert 1 <= copy <= MOST_COPIES, copy
    order = list(permutations(range(3)))[copy // 2]
    exchanged = np.ascontiguousarray(video[..., order])
    return np.uint8(255) - exchanged if copy % 2 else exchanged
