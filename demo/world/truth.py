"""What is true of a rendered clip: which pixels an edit changes, and where its figures are."""

import numpy as np
from numpy.typing import NDArray


def edit_region(source: NDArray[np.uint8], edited: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Find the pixels that an edit changes.

    Args:
        source: the source video, (frames, height, width, 3) uint8 RGB.
        edited: the edited video, of the same shape.

    Returns:
        (frames, height, width) bool, True = differs.
    """
    frames, height, width, channels = source.shape
    assert edited.shape == source.shape, (edited.shape, source.shape)
    return np.any(source != edited, axis=-1)


def figure_boxes(masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Bound what is visible of each figure.

    Args:
        masks: (figures, frames, height, width) bool.

    Returns:
        (figures, frames, 4) x1, y1, x2, y2 in pixels, the far edges exclusive; NaN where nothing is visible.
    """
    figures, frames, height, width = masks.shape
    columns, rows = masks.any(axis=2), masks.any(axis=3)
    boxes = np.stack(
        [
            columns.argmax(axis=-1),
            rows.argmax(axis=-1),
            width - columns[..., ::-1].argmax(axis=-1),
            height - rows[..., ::-1].argmax(axis=-1),
        ],
        axis=-1,
    ).astype(np.float32)
    boxes[~columns.any(axis=-1)] = np.nan
    return boxes
