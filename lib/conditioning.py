"""The paper's pseudo-video and space-time mask: what the model is shown, and what it is told to keep.

Paper sections "Mask reinterpretation" and "Edit-area and background decoupling".
"""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray


def make_keep_mask(kind: str, edit_mask: NDArray[np.bool_], frame_stride: int) -> torch.Tensor:
    """Turn people's edit_mask (True = edit) into the model's keep_mask (1 = keep, 0 = regenerate).

    This is the one place where the polarity changes. Frame 0 is kept whole except for `all_zeros`. Frames that
    share a latent frame get the union of their edit regions: one latent cell cannot keep one frame and
    regenerate another.

    Args:
        kind: `edit` keeps all but the edit region; `first_frame` keeps frame 0 only, as the model was
            pre-trained; `all_ones` keeps everything; `all_zeros` keeps nothing.
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
    if kind == "edit" and frames > 1:
        edited = torch.from_numpy(edit_mask[1:]).view(-1, frame_stride, height, width).any(dim=1)
        keep_mask[0, 0, 1:] = (~edited).float().repeat_interleave(frame_stride, dim=0)
    return keep_mask


def make_reference_keep_mask(kind: str, edit_mask: NDArray[np.bool_]) -> torch.Tensor:
    """Return the keep_mask of one reference, a one-frame sample.

    Args:
        kind: with `edit` the background is kept and the edit region regenerated. The other kinds know no
            region: the whole picture is regenerated, or kept for `all_ones`.
        edit_mask: (height, width) of the reference's own frame.

    Returns:
        (1, 1, 1, height, width) float32.
    """
    height, width = edit_mask.shape
    if kind == "edit":
        return torch.from_numpy(~edit_mask).float().view(1, 1, 1, height, width)
    return torch.full((1, 1, 1, height, width), 1.0 if kind == "all_ones" else 0.0)


def make_condition_video(
    first_frame: torch.Tensor, source_video: torch.Tensor, keep_mask: torch.Tensor
) -> torch.Tensor:
    """Build the paper's V_cond: frame 0, then source pixels where kept and mid-grey elsewhere.

    Args:
        first_frame: model video (1, 3, 1, height, width); the edited frame 0 at generation.
        source_video: model video (1, 3, frames, height, width) in [-1, 1].
        keep_mask: (1, 1, frames, height, width).

    Returns:
        Model video (1, 3, frames, height, width); mid-grey is 0.
    """
    _, _, frames, _, _ = source_video.shape
    assert keep_mask.shape[2] == frames
    pixels = torch.cat([first_frame, source_video[:, :, 1:]], dim=2)
    return pixels * keep_mask


def reduce_to_cells(keep_mask: torch.Tensor, cell_size: int) -> torch.Tensor:
    """Reduce a keep_mask to latent resolution: a cell is regenerated if any of its pixels is.

    Args:
        keep_mask: (batch, 1, frames, height, width).
        cell_size: pixels per latent cell, in both directions.

    Returns:
        (batch, 1, frames, height / cell_size, width / cell_size).
    """
    _, _, _, height, width = keep_mask.shape
    assert height % cell_size == 0 and width % cell_size == 0
    return -F.max_pool3d(-keep_mask, kernel_size=(1, cell_size, cell_size))
