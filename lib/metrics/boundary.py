"""How well an edit fits in: at the mask's edge, in the background and in its first frame.

All numbers are in levels of 8-bit RGB; 0 is perfect. Videos are (frames, height, width, 3) uint8 RGB, masks
(frames, height, width) with True = the region to edit. A metric per frame returns None where it is undefined.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lib.metrics.per_frame import PerFrame
from lib.video.arrays import DecodedVideo, Mask, Picture

Change = NDArray[np.int16]


def seam(output: DecodedVideo, source: DecodedVideo, edit_mask: Mask) -> PerFrame:
    """Return how visible the mask's edge is: the step across it that the source does not have.

    A loose mask has background on both sides of its edge, so that the source's own step is what should be there.

    Args:
        output, source: (frames, height, width, 3).
        edit_mask: (frames, height, width), not dilated.

    Returns:
        Per frame, the mean over the pairs of 4-neighbours of which one is inside the mask, and over channels, of
        |output's step - source's step|, in levels; None in a frame without such a pair.
    """
    frames, height, width, _ = output.shape
    assert source.shape == output.shape and edit_mask.shape == (frames, height, width)
    scores: PerFrame = []
    for made, true, masked in zip(output, source, edit_mask, strict=True):
        change = _change(made, true)  # the difference of two steps is the step of the difference
        below, beside = masked[1:] != masked[:-1], masked[:, 1:] != masked[:, :-1]
        steps_down = change[1:][below] - change[:-1][below]  # (pairs, 3)
        steps_right = change[:, 1:][beside] - change[:, :-1][beside]
        steps = np.abs(np.concatenate([steps_down, steps_right]))
        scores.append(float(steps.mean()) if steps.size else None)
    return scores


def background_jump(output: DecodedVideo, source: DecodedVideo, edit_mask_dilated: Mask) -> PerFrame:
    """Return how much the output's background changes from one frame to the next where the source's does not.

    Args:
        output, source: (frames, height, width, 3).
        edit_mask_dilated: (frames, height, width); the background is where it is False.

    Returns:
        Per frame, the mean over the pixels outside the mask in it and in the frame before, and over channels, of
        |output's change - source's change|, in levels. None in the first frame and where no such pixel is.
    """
    frames, height, width, _ = output.shape
    assert source.shape == output.shape and edit_mask_dilated.shape == (frames, height, width)
    scores: PerFrame = [None]
    before = _change(output[0], source[0])
    for index in range(1, frames):
        change = _change(output[index], source[index])
        masked = edit_mask_dilated[index] | edit_mask_dilated[index - 1]
        scores.append(_mean_outside(cv2.absdiff(change, before), masked))
        before = change
    return scores


def first_frame_drift(edited_first_frame: Picture, source_first_frame: Picture, plane_dilated: Mask) -> float | None:
    """Return how far the edited first frame is from the source's outside the edit.

    What an image editor changes there, the video inherits.

    Args:
        edited_first_frame, source_first_frame: (height, width, 3) uint8 RGB.
        plane_dilated: (height, width), the first frame's edit mask, dilated.

    Returns:
        The mean over the pixels outside the mask and over channels of |edited - source|, in levels; None if the
        mask fills the frame.
    """
    height, width, _ = edited_first_frame.shape
    assert source_first_frame.shape == edited_first_frame.shape and plane_dilated.shape == (height, width)
    return _mean_outside(cv2.absdiff(edited_first_frame, source_first_frame), plane_dilated)


def _change(made: Picture, true: Picture) -> Change:
    """Return made - true, (height, width, 3) in -255..255."""
    change: Change = cv2.subtract(made, true, dtype=cv2.CV_16S)
    return change


def _mean_outside(distances: NDArray[Any], masked: Mask) -> float | None:
    """Return the mean of (height, width, 3) over channels and the pixels that are not masked; None without any."""
    if masked.all():
        return None
    return float(np.mean(cv2.mean(distances, mask=(~masked).astype(np.uint8))[:3]))
