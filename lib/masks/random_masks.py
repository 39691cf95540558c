"""Masks of no edit: loose boxes that wander through a clip, for training that must know any mask."""

import numpy as np

from lib.masks.boxes import draw_box, widest
from lib.video.arrays import Mask

LEAST_SIDE, MOST_SIDE = 0.2, 0.6  # of the frame's width and height
LEAST_GROWTH, MOST_GROWTH = 0.8, 1.25  # of a box from the first frame to the last


def draw_random_mask(generator: np.random.Generator, shape: tuple[int, int, int], frame_stride: int) -> Mask:
    """Draw a box that moves and grows steadily from frame 0 to the last, as a loose box round an object does.

    Args:
        generator: draws its size and its way.
        shape: frames, height and width of the mask.
        frame_stride: frames that share a latent frame, after frame 0; the mask is the same in them.

    Returns:
        (frames, height, width), True = edit.
    """
    frames, height, width = shape
    scale = np.array([width, height], np.float64)
    sides = generator.uniform(LEAST_SIDE, MOST_SIDE, 2) * scale
    growth = generator.uniform(LEAST_GROWTH, MOST_GROWTH)
    start, end = generator.uniform(0.15, 0.85, (2, 2)) * scale  # of its centre
    time = np.linspace(0, 1, frames)[:, None]  # (frames, 1)
    centres, halves = start + time * (end - start), sides / 2 * (1 + time * (growth - 1))
    boxes = np.concatenate([centres - halves, centres + halves], axis=1)  # (frames, 4)
    mask = np.zeros(shape, np.bool_)
    for first in (0, *range(1, frames, frame_stride)):
        group = slice(first, first + (frame_stride if first else 1))
        mask[group] = draw_box(widest(boxes[group]), mask[0])
    return mask
