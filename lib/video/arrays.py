"""The two array layouts of a video, and the only place that turns one into the other.

decoded video: (frames, height, width, 3) uint8 RGB.
model video:   (batch, 3, frames, height, width) float in [-1, 1].
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

DecodedVideo = NDArray[np.uint8]
"""(frames, height, width, 3) RGB."""

Picture = NDArray[np.uint8]
"""(height, width, 3) RGB."""

Mask = NDArray[np.bool_]
"""(height, width) or (frames, height, width), True = the region to edit."""


def to_model_video(video: DecodedVideo) -> "torch.Tensor":
    """Turn a decoded video into a model video (1, 3, frames, height, width) float32 in [-1, 1]."""
    import torch  # here, so that checking inputs before a run does not load torch

    _, _, _, channels = video.shape
    assert channels == 3
    pixels = torch.from_numpy(np.ascontiguousarray(video)).float()
    return (pixels / 127.5 - 1).permute(3, 0, 1, 2).unsqueeze(0)


def to_decoded_video(video: "torch.Tensor") -> DecodedVideo:
    """Turn a model video (1, 3, frames, height, width) into a decoded video; values outside [-1, 1] are clipped."""
    batch, channels, _, _, _ = video.shape
    assert (batch, channels) == (1, 3)
    pixels = ((video[0].float().clamp(-1, 1) + 1) * 127.5).round().byte()
    decoded: DecodedVideo = pixels.permute(1, 2, 3, 0).cpu().numpy()
    return decoded
