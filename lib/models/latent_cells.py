"""A mask at the resolution of latents."""

import torch
import torch.nn.functional as F


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


def reduce_to_latents(keep_mask: torch.Tensor, cell_size: int, frame_stride: int) -> torch.Tensor:
    """Reduce a keep_mask to latents: one is regenerated if any pixel of any of the frames that share it is.

    Args:
        keep_mask: (batch, 1, frames, height, width), frames % frame_stride == 1.
        cell_size, frame_stride: pixels per latent cell, frames per latent frame after the first.

    Returns:
        (batch, 1, latent frames, height / cell_size, width / cell_size).
    """
    cells = reduce_to_cells(keep_mask, cell_size)
    batch, _, _, height, width = cells.shape
    later = cells[:, :, 1:].reshape(batch, 1, -1, frame_stride, height, width).amin(dim=3)
    return torch.cat([cells[:, :, :1], later], dim=2)
