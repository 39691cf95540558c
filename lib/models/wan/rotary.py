"""Where in a clip Wan's latent frames stand."""

from typing import Any

import torch
from torch import nn


class PlacedRotaryEmbedding(nn.Module):
    """Wan's rotary position embedding, for latent frames that stand anywhere in a clip.

    Attributes:
        positions: place in the clip of each latent frame of the next forward pass, (latent frames,) int64, or
            (batch, latent frames) where each clip has its own; None: side by side from the start, as in pre-training.
    """

    def __init__(self, original: Any) -> None:
        super().__init__()
        self.original = original
        self.positions: torch.Tensor | None = None

    def forward(self, hidden_states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return cosines and sines for latents (batch, channels, f, h, w).

        Each is (1, tokens, 1, head width), or (batch, tokens, 1, head width) where each clip has its own positions.
        """
        cosines, sines = self.original(hidden_states)
        if self.positions is None:
            return cosines, sines
        return (
            _place(cosines, self.original.freqs_cos[self.positions], self.original.t_dim),
            _place(sines, self.original.freqs_sin[self.positions], self.original.t_dim),
        )


def _place(rotation: torch.Tensor, in_time: torch.Tensor, width: int) -> torch.Tensor:
    """Replace the first `width` channels of a rotation, those that tell time, by rows of the table, one a frame."""
    _, tokens, _, channels = rotation.shape
    *batch, num_frames, _ = in_time.shape
    size = batch[0] if batch else 1
    frames = rotation.reshape(1, num_frames, -1, 1, channels).repeat(size, 1, 1, 1, 1)
    frames[..., :width] = in_time[..., :width].reshape(size, num_frames, 1, 1, width)
    return frames.view(size, tokens, 1, channels)
