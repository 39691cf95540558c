"""How a Wan model is told what to keep of a clip: what its two ways have in common."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from lib.models.base import Conditioning


@dataclass(frozen=True)
class Keeping:
    """A way to tell it, as functions.

    Attributes:
        in_time: names in a Conditioning whose tensors are (batch, channels, latent frames, height, width).
        encode: from `encode_video`, a condition video, its keep_mask, pixels per latent cell and frames per latent
            frame to these tensors; see `lib.models.base.VideoModel.encode_condition_video`.
        regenerated_cells, learnt_cells: see `lib.models.base.VideoModel`.
        show: from noisy latents, sigma (batch,) and a Conditioning of the same batch to what the transformer takes:
            (batch, channels, latent frames, height, width), and sigma of each sample or of each token.
        answer: from what the transformer says to the velocity, given what `show` was.
    """

    in_time: tuple[str, ...]
    encode: Callable[[Callable[[torch.Tensor], torch.Tensor], torch.Tensor, torch.Tensor, int, int], Conditioning]
    regenerated_cells: Callable[[Conditioning], torch.Tensor]
    learnt_cells: Callable[[Conditioning], torch.Tensor | None]
    show: Callable[[torch.Tensor, torch.Tensor, Conditioning], tuple[torch.Tensor, torch.Tensor]]
    answer: Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Conditioning], torch.Tensor]


def repeated(tensor: torch.Tensor, batch: int) -> torch.Tensor:
    """See a tensor of batch 1 as a larger batch; one of that batch as it is."""
    return tensor.expand(batch, *tensor.shape[1:])
