"""Told by channels: noisy latents 16, mask 4, condition latents 16, as Wan2.1 and Wan2.2-I2V-A14B were pre-trained."""

from collections.abc import Callable

import torch

from lib.models.base import Conditioning
from lib.models.latent_cells import reduce_to_cells
from lib.models.wan.keeping import Keeping, repeated


def pack_keep_mask(keep_mask: torch.Tensor, cell_size: int, frame_stride: int) -> torch.Tensor:
    """Pack a keep_mask as Wan reads it: latent resolution, frame 0 repeated, frames folded to channels.

    Args:
        keep_mask: (batch, 1, frames, height, width), frames % frame_stride == 1.
        cell_size: pixels per latent cell.
        frame_stride: frames per latent frame.

    Returns:
        (batch, frame_stride, latent frames, height / cell_size, width / cell_size).
    """
    cells = reduce_to_cells(keep_mask, cell_size)
    batch, _, _, height, width = cells.shape
    repeated_first = torch.cat([cells[:, :, :1].repeat_interleave(frame_stride, dim=2), cells[:, :, 1:]], dim=2)
    return repeated_first.view(batch, -1, frame_stride, height, width).transpose(1, 2).contiguous()


def _encode(
    encode_video: Callable[[torch.Tensor], torch.Tensor],
    condition_video: torch.Tensor,
    keep_mask: torch.Tensor,
    cell_size: int,
    frame_stride: int,
) -> Conditioning:
    """Pack the mask, and encode the paper's V_cond: mid-grey, 0, where it is to regenerate."""
    latents = encode_video(condition_video * keep_mask)
    return {
        "packed_mask": pack_keep_mask(keep_mask, cell_size, frame_stride).to(latents.device),
        "condition_latents": latents,
    }


def _regenerated_cells(conditioning: Conditioning) -> torch.Tensor:
    """Read the packed mask: a cell is regenerated if it is in any of the frames that share it."""
    return 1 - conditioning["packed_mask"].amin(dim=1, keepdim=True)


def _show(
    noisy_latents: torch.Tensor, sigma: torch.Tensor, conditioning: Conditioning
) -> tuple[torch.Tensor, torch.Tensor]:
    shown = [repeated(conditioning[name], len(noisy_latents)) for name in ("packed_mask", "condition_latents")]
    return torch.cat([noisy_latents, *shown], dim=1), sigma


MASK_CHANNELS = Keeping(
    in_time=("packed_mask", "condition_latents"),
    encode=_encode,
    regenerated_cells=_regenerated_cells,
    learnt_cells=lambda _: None,
    show=_show,
    answer=lambda said, *_: said,
)
