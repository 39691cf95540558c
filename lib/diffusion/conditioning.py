"""The paper's pseudo-video and space-time mask: what the model is shown, and what it is told to keep.

Paper sections "Mask reinterpretation" and "Edit-area and background decoupling".
"""

import numpy as np
import torch
from numpy.typing import NDArray

from lib.models.latent_cells import reduce_to_latents

WITHOUT_REGION = ("first_frame", "all_ones", "all_zeros")  # kinds of mask that do not know what is edited


def make_keep_mask(kind: str, edit_mask: NDArray[np.bool_], frame_stride: int) -> torch.Tensor:
    """Turn people's edit_mask (True = edit) into the model's keep_mask (1 = keep, 0 = regenerate).

    This is the one place where the polarity changes. Frame 0 is kept whole except for `all_zeros`. Frames that
    share a latent frame get the union of their edit regions: one latent cell cannot keep one frame and
    regenerate another.

    Args:
        kind: `first_frame` keeps frame 0 only, as the model was pre-trained; `all_ones` keeps everything;
            `all_zeros` keeps nothing; any other, `edit` or the name of a shape, keeps all but the edit region.
        edit_mask: (frames, height, width); frames % frame_stride == 1.
        frame_stride: frames per latent frame after the first.

    Returns:
        (1, 1, frames, height, width) float32 of 0 and 1.
    """
    frames, height, width = edit_mask.shape
    keep_mask = torch.zeros(1, 1, frames, height, width)
    if kind == "all_ones":
        return keep_mask + 1
    if kind == "all_zeros":
        return keep_mask
    keep_mask[:, :, 0] = 1
    if has_region(kind) and frames > 1:
        edited = torch.from_numpy(edit_mask[1:]).view(-1, frame_stride, height, width).any(dim=1)
        keep_mask[0, 0, 1:] = (~edited).float().repeat_interleave(frame_stride, dim=0)
    return keep_mask


def has_region(kind: str) -> bool:
    """Tell whether a kind of mask knows the region to edit."""
    return kind not in WITHOUT_REGION


def make_reference_keep_mask(kind: str, edit_mask: NDArray[np.bool_]) -> torch.Tensor:
    """Return the keep_mask of one reference, a one-frame sample.

    Args:
        kind: where it has a region the background is kept and the region regenerated. The other kinds know
            none: the whole picture is regenerated, or kept for `all_ones`.
        edit_mask: (height, width) of the reference's own frame.

    Returns:
        (1, 1, 1, height, width) float32.
    """
    height, width = edit_mask.shape
    if has_region(kind):
        return torch.from_numpy(~edit_mask).float().view(1, 1, 1, height, width)
    return torch.full((1, 1, 1, height, width), 1.0 if kind == "all_ones" else 0.0)


def put_first(given_frames: torch.Tensor, source_video: torch.Tensor) -> torch.Tensor:
    """Put given frames in place of the first ones of a model video: what a condition video is made of.

    The paper's V_cond is mid-grey where keep_mask is 0; that is done by the families that were pre-trained so.

    Args:
        given_frames: model video (1, 3, n, height, width); the edited frame 0 at generation, or the frames that a
            window of a long clip takes over from the one before.
        source_video: model video (1, 3, frames, height, width) in [-1, 1].
    """
    return torch.cat([given_frames, source_video[:, :, given_frames.shape[2] :]], dim=2)


def kept_latents(keep_mask: torch.Tensor, cell_size: int, frame_stride: int) -> torch.Tensor:
    """Tell which latents hold nothing but kept pixels.

    Args:
        keep_mask: (1, 1, frames, height, width), frames % frame_stride == 1.
        cell_size, frame_stride: pixels per latent cell, frames per latent frame.

    Returns:
        (1, 1, latent frames, height / cell_size, width / cell_size) bool.
    """
    return reduce_to_latents(keep_mask, cell_size, frame_stride) > 0
