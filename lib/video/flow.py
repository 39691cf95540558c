"""Dense optical flow between neighbouring frames with OpenCV's DIS, which needs no weights.

A flow (height, width, 2) float32 in pixels, horizontal first, belongs to the pixels of one picture and says
where each of them lies in another: `other[p + flow[p]]` shows what `picture[p]` shows.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lib.video.arrays import DecodedVideo

Flow = NDArray[np.float32]


def flow_between(picture: NDArray[np.uint8], other: NDArray[np.uint8]) -> Flow:
    """Return the flow (height, width, 2) from `picture` to `other`, both (height, width, 3) RGB."""
    return _dis(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.cvtColor(other, cv2.COLOR_RGB2GRAY))


def flow_to_previous(video: DecodedVideo) -> Flow:
    """Return the flow from each frame but the first to the one before it: (frames - 1, height, width, 2)."""
    frames, height, width, _ = video.shape
    flows = np.zeros((frames - 1, height, width, 2), np.float32)
    for index in range(1, frames):
        flows[index - 1] = flow_between(video[index], video[index - 1])
    return flows


def visible_in_previous(video: DecodedVideo, flows: Flow) -> NDArray[np.bool_]:
    """Tell which pixels of each frame but the first were also seen in the frame before.

    The forward-backward check of Sundaram, Brox and Keutzer (2010), section 3: with the flow f to the
    previous frame and the flow b back, a pixel counts when |f + b|^2 < 0.01 (|f|^2 + |b|^2) + 0.5.

    Args:
        video: (frames, height, width, 3) uint8 RGB.
        flows: (frames - 1, height, width, 2) of `flow_to_previous`.

    Returns:
        (frames - 1, height, width); False also where the pixel came from outside the frame.
    """
    frames, height, width, _ = video.shape
    visible = np.zeros((frames - 1, height, width), np.bool_)
    for index, flow in enumerate(flows):
        back = sample(flow_between(video[index], video[index + 1]), flow, outside=np.nan)
        with np.errstate(invalid="ignore"):
            mismatch = np.square(flow + back).sum(axis=-1)
            length = np.square(flow).sum(axis=-1) + np.square(back).sum(axis=-1)
            visible[index] = mismatch < 0.01 * length + 0.5
    return visible


def sample(picture: NDArray[Any], flow: Flow, outside: float = 0.0) -> NDArray[Any]:
    """Read `picture` (height, width[, channels]) at p + flow[p], linearly; `outside` beyond its border."""
    height, width, _ = flow.shape
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    border = (outside,) * 4
    warped: NDArray[Any] = cv2.remap(
        picture, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR, None, cv2.BORDER_CONSTANT, border
    )
    return warped


def _dis(picture: NDArray[np.uint8], other: NDArray[np.uint8]) -> Flow:
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow: Flow = finder.calc(picture, other, None)
    return flow
