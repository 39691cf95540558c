"""The motion of a clip, by which regions are followed: measured once for all its edits."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lib.video.arrays import DecodedVideo, Picture
from lib.video.flow import Flow, flow_between
from lib.video.flow_file import rounded

FLOW_SIDE = 416  # pixels; the longer side at which regions are followed
COLOUR_BLUR = 2.0  # pixels at FLOW_SIDE, deviation


class RegionFlows(NamedTuple):
    """The motion of a clip, at FLOW_SIDE.

    Attributes:
        backward: from each frame but the first to the one before it.
        forward: from each frame but the last to the one after it.
        colours: of each frame, lightly blurred, (height, width, 3) CIE Lab.
    """

    backward: list[Flow]
    forward: list[Flow]
    colours: list[NDArray[np.float32]]


class PairFlows(NamedTuple):
    """The optical flow between neighbouring frames, at FLOW_SIDE.

    Attributes:
        backward: (frames - 1, height, width, 2), from each frame but the first to the one before it.
        forward: (frames - 1, height, width, 2), from each frame but the last to the one after it.
    """

    backward: Flow
    forward: Flow


def measure_flows(video: DecodedVideo) -> PairFlows:
    """Measure the flow between the frames of a video (frames, height, width, 3)."""
    small = _resize(video)
    height, width, _ = small[0].shape
    pairs = list(zip(small[:-1], small[1:], strict=True))
    none = np.zeros((0, height, width, 2), np.float32)
    if not pairs:
        return PairFlows(backward=none, forward=none)
    return PairFlows(
        backward=rounded(np.stack([flow_between(after, before) for before, after in pairs])),
        forward=rounded(np.stack([flow_between(*pair) for pair in pairs])),
    )


def region_flows(video: DecodedVideo, flows: PairFlows | None = None) -> RegionFlows:
    """Return what regions of a video (frames, height, width, 3) are followed by.

    Args:
        flows: of `measure_flows`, where it was asked before.
    """
    measured = flows or measure_flows(video)
    colours = [_soft_colours(picture) for picture in _resize(video)]
    return RegionFlows(list(measured.backward), list(measured.forward), colours)


def _resize(video: DecodedVideo) -> list[Picture]:
    """Bring frames to FLOW_SIDE; small ones are enlarged, since an object must be larger than the flow's patches."""
    _, height, width, _ = video.shape
    scale = FLOW_SIDE / max(height, width)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return [
        cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=method) for picture in video
    ]


def _soft_colours(picture: Picture) -> NDArray[np.float32]:
    blurred = cv2.GaussianBlur(picture.astype(np.float32) / 255, (0, 0), COLOUR_BLUR)
    colours: NDArray[np.float32] = cv2.cvtColor(blurred, cv2.COLOR_RGB2LAB)
    return colours
