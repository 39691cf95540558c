"""The toy family's modules: a denoiser that attends over cells, an autoencoder that averages, and words as bytes."""

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.loaders import PeftAdapterMixin
from torch import nn

WIDTH, NUM_BYTES = 16, 12
NUM_PLANES = 30  # of each cell: noisy 12, shown 12, hidden 1, glance 3, sigma and time


class ToyBlock(nn.Module):
    """Look at all cells, read the words, think."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.look_qkv, self.look_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.read_ask, self.read_answer = nn.Linear(width, width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, hidden_states: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        query, key, value = self.look_qkv(hidden_states).chunk(3, dim=-1)
        hidden_states = hidden_states + self.look_out(F.scaled_dot_product_attention(query, key, value))
        read = F.scaled_dot_product_attention(self.read_ask(hidden_states), words, words)
        hidden_states = hidden_states + self.read_answer(read)
        return hidden_states + self.narrow(F.gelu(self.widen(hidden_states)))


class ToyDenoiser(ModelMixin, ConfigMixin, PeftAdapterMixin):
    """From planes of cells, (batch, cells, NUM_PLANES), to the velocity there, (batch, cells, 12)."""

    @register_to_config
    def __init__(self, floors: int = 2, width: int = WIDTH) -> None:
        super().__init__()
        self.enter, self.leave = nn.Linear(NUM_PLANES, width), nn.Linear(width, 12)
        self.tower = nn.ModuleList(ToyBlock(width) for _ in range(floors))

    def forward(self, cells: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        hidden_states = self.enter(cells)
        for block in self.tower:
            hidden_states = block(hidden_states, words)
        return self.leave(hidden_states)


class ToyWords(ModelMixin, ConfigMixin):
    """A vector for each of a text's first bytes."""

    @register_to_config
    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.table = nn.Embedding(256, width)

    def forward(self, text: str) -> torch.Tensor:
        """Return (1, NUM_BYTES, width)."""
        return self.table(torch.tensor([list(text.encode().ljust(NUM_BYTES)[:NUM_BYTES])]))


class ToyAutoencoder(nn.Module):
    """Pairs of frames averaged after frame 0, and cells of 4x4 pixels of which 2x2 are told apart."""

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        """(1, 3, F, H, W) -> (1, 12, 1 + (F - 1) / 2, H / 4, W / 4)."""
        later = video[:, :, 1:].unflatten(2, (-1, 2)).mean(dim=3)
        frames = torch.cat([video[:, :, :1], later], dim=2).transpose(1, 2)[0]  # (f, 3, H, W)
        return F.pixel_unshuffle(F.avg_pool2d(frames, 2), 2).transpose(0, 1)[None]

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """(1, 12, f, h, w) -> (1, 3, 1 + 2 (f - 1), 4 h, 4 w)."""
        frames = F.interpolate(F.pixel_shuffle(latents[0].transpose(0, 1), 2), scale_factor=2)
        return torch.cat([frames[:1], frames[1:].repeat_interleave(2, dim=0)]).transpose(0, 1)[None]
