"""A LLaMA whose norms, keys and values differ between words and picture; names of weights are the published ones."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class LanguageConfig:
    """Sizes of the language model; defaults are the published model's."""

    vocab_size: int = 32000
    hidden_size: int = 4096
    intermediate_size: int = 11008
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    rms_norm_eps: float = 1e-6
    rope_theta: float = 10000.0


class Multiway(nn.Module):
    """A layer for words and one for picture tokens, in this order; each token goes through its own."""

    def __init__(self, words: nn.Module, picture: nn.Module) -> None:
        super().__init__()
        self.multiway = nn.ModuleList([words, picture])

    def forward(self, tokens: torch.Tensor, is_picture: torch.Tensor) -> torch.Tensor:
        """Transform (batch, tokens, width); is_picture is (tokens,) bool."""
        through = [layer(tokens) for layer in self.multiway]
        return torch.where(is_picture[:, None], through[1], through[0])


class RootMeanSquareNorm(nn.Module):
    """LLaMA's norm, computed in float32."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Scale (..., width) to a root mean square of 1, then by the weight."""
        values = tokens.float()
        values = values * torch.rsqrt(values.pow(2).mean(-1, keepdim=True) + self.eps)
        return self.weight * values.to(tokens.dtype)


class Attention(nn.Module):
    """Causal self-attention with rotary positions."""

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.num_heads = config.num_attention_heads
        self.rope_theta = config.rope_theta

        def linear() -> nn.Linear:
            return nn.Linear(width, width, bias=False)

        self.q_proj, self.o_proj = linear(), linear()
        self.k_proj, self.v_proj = Multiway(linear(), linear()), Multiway(linear(), linear())

    def forward(self, tokens: torch.Tensor, is_picture: torch.Tensor) -> torch.Tensor:
        """Attend within (batch, tokens, width)."""
        mixed = (self.q_proj(tokens), self.k_proj(tokens, is_picture), self.v_proj(tokens, is_picture))
        query, key, value = (each.unflatten(2, (self.num_heads, -1)).transpose(1, 2) for each in mixed)
        query, key = self._rotated(query), self._rotated(key)
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        projected: torch.Tensor = self.o_proj(attended.transpose(1, 2).flatten(2))
        return projected

    def _rotated(self, heads: torch.Tensor) -> torch.Tensor:
        *_, tokens, width = heads.shape
        device = heads.device
        rates = 1 / self.rope_theta ** (torch.arange(0, width, 2, device=device).float() / width)
        angles = (torch.arange(tokens, device=device)[:, None] * rates).repeat(1, 2)
        first, second = heads.chunk(2, dim=-1)
        return heads * angles.cos().to(heads.dtype) + torch.cat([-second, first], -1) * angles.sin().to(heads.dtype)


class Layer(nn.Module):
    """A layer of the language model."""

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        width, inner = config.hidden_size, config.intermediate_size

        def norm() -> RootMeanSquareNorm:
            return RootMeanSquareNorm(width, config.rms_norm_eps)

        self.self_attn = Attention(config)
        self.mlp = nn.ModuleDict(
            {
                "gate_proj": nn.Linear(width, inner, bias=False),
                "up_proj": nn.Linear(width, inner, bias=False),
                "down_proj": nn.Linear(inner, width, bias=False),
            }
        )
        self.input_layernorm = Multiway(norm(), norm())
        self.post_attention_layernorm = Multiway(norm(), norm())

    def forward(self, tokens: torch.Tensor, is_picture: torch.Tensor) -> torch.Tensor:
        """Transform (batch, tokens, width)."""
        tokens = tokens + self.self_attn(self.input_layernorm(tokens, is_picture), is_picture)
        normalised = self.post_attention_layernorm(tokens, is_picture)
        inner = F.silu(self.mlp["gate_proj"](normalised)) * self.mlp["up_proj"](normalised)
        changed: torch.Tensor = tokens + self.mlp["down_proj"](inner)
        return changed
