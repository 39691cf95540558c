"""Where one shot ends and another begins: nothing may be followed across a cut."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lib.video.arrays import DecodedVideo
from lib.video.flow import Flow, sample

LEAST_RESIDUAL = 0.06  # mean RGB distance per channel (0 to 1) that motion cannot explain, from which it may be a cut
OUTSTANDING = 4.0  # times the usual residual of the clip: noise, smoke and water change everywhere in every frame
LEAST_COLOUR_CHANGE = 0.25  # Hellinger distance of colour histograms, 0 to 1: a blurred pan keeps its colours
BINS = 6  # of a histogram, for each channel


def find_cuts(video: DecodedVideo, backward_flows: list[Flow]) -> list[int]:
    """Find the frames that begin a new shot.

    A cut leaves much that motion does not explain, far more than in the clip's other frames, and changes the colours.

    Args:
        video: (frames, height, width, 3) uint8 RGB.
        backward_flows: from each frame but the first to the one before it, of any one size.

    Returns:
        Rising indices, each above 0.
    """
    if not backward_flows:
        return []
    height, width, _ = backward_flows[0].shape
    small = [cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA) for picture in video]
    residuals = np.array([_residual(small[index + 1], small[index], flow) for index, flow in enumerate(backward_flows)])
    changes = np.array([_colour_change(*pair) for pair in zip(small[1:], small[:-1], strict=True)])
    usual = float(np.median(residuals))
    is_cut = (residuals > max(LEAST_RESIDUAL, OUTSTANDING * usual)) & (changes > LEAST_COLOUR_CHANGE)
    return [int(index) + 1 for index in np.flatnonzero(is_cut)]


def shot_of(frame: int, cuts: Sequence[int], num_frames: int) -> slice:
    """Return the frames of the shot that a frame belongs to."""
    starts = [0, *cuts, num_frames]
    first = max(start for start in starts if start <= frame)
    return slice(first, min(start for start in starts if start > frame))


def _residual(picture: NDArray[np.uint8], before: NDArray[np.uint8], flow: Flow) -> float:
    """Return what is left of the difference of two pictures once motion is taken out, 0 to 1."""
    warped = sample(before.astype(np.float32), flow, outside=np.nan)
    distance = np.abs(picture - warped)
    known = distance[~np.isnan(distance)]
    return float(known.mean()) / 255 if known.size else 1.0


def _colour_change(picture: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    histograms = [
        cv2.calcHist([image], [0, 1, 2], None, [BINS] * 3, [0, 256] * 3).astype(np.float32)
        for image in (picture, other)
    ]
    return float(cv2.compareHist(histograms[0], histograms[1], cv2.HISTCMP_BHATTACHARYYA))
