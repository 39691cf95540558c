"""A picture's features, by a vision transformer of which all tokens go on; names of weights are the published ones."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class VisionConfig:
    """Sizes of the vision transformer; defaults are the published model's."""

    hidden_size: int = 1024
    intermediate_size: int = 4096
    num_hidden_layers: int = 24
    num_attention_heads: int = 16
    image_size: int = 448
    patch_size: int = 14
    layer_norm_eps: float = 1e-6

    @property
    def grid(self) -> int:
        """Patches along each side."""
        return self.image_size // self.patch_size


class VisionTower(nn.Module):
    """Turn pictures (batch, 3, side, side) into features (batch, 1 + patches, hidden_size), a class token first."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.embeddings = _Embeddings(config)
        self.encoder: Any = nn.Module()
        self.encoder.layers = nn.ModuleList([_Block(config) for _ in range(config.num_hidden_layers)])
        self.post_layernorm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the features."""
        features = self.embeddings(pictures)
        for block in self.encoder.layers:
            features = block(features)
        normalised: torch.Tensor = self.post_layernorm(features)
        return normalised


class _Embeddings(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        width, patch = config.hidden_size, config.patch_size
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.patch_embed = nn.Conv2d(3, width, patch, patch, bias=False)
        self.position_embedding = nn.Parameter(torch.zeros(1, 1 + config.grid**2, width))
        self.pre_layernorm = nn.LayerNorm(width, config.layer_norm_eps)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        patches = self.patch_embed(pictures).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.expand(len(pictures), -1, -1).to(patches.dtype), patches], dim=1)
        normalised: torch.Tensor = self.pre_layernorm(tokens + self.position_embedding.to(patches.dtype))
        return normalised


class _Block(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        width, inner = config.hidden_size, config.intermediate_size
        self.self_attn = _Attention(width, config.num_attention_heads)
        self.input_layernorm = nn.LayerNorm(width, config.layer_norm_eps)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, inner), "fc2": nn.Linear(inner, width)})
        self.post_attention_layernorm = nn.LayerNorm(width, config.layer_norm_eps)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        features = features + self.self_attn(self.input_layernorm(features))
        inner = self.mlp["fc1"](self.post_attention_layernorm(features))
        changed: torch.Tensor = features + self.mlp["fc2"](inner * torch.sigmoid(1.702 * inner))  # QuickGELU
        return changed


class _Attention(nn.Module):
    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query_key_value = nn.Linear(width, 3 * width)
        self.dense = nn.Linear(width, width)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        batch, tokens, width = features.shape
        # Each head has its query, key and value side by side.
        mixed = self.query_key_value(features).view(batch, tokens, self.num_heads, 3, -1)
        query, key, value = mixed.permute(3, 0, 2, 1, 4)
        attended = F.scaled_dot_product_attention(query, key, value)
        projected: torch.Tensor = self.dense(attended.transpose(1, 2).reshape(batch, tokens, width))
        return projected
