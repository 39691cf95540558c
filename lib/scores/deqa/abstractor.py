"""What a few queries take from the features of a picture; names of weights are the published ones."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class AbstractorConfig:
    """Sizes of the abstractor; defaults are the published model's."""

    num_learnable_queries: int = 64
    hidden_size: int = 1024
    num_hidden_layers: int = 6
    num_attention_heads: int = 16
    intermediate_size: int = 2816
    layer_norm_eps: float = 1e-6
    encoder_hidden_size: int = 1024
    grid_size: int = 32


class Abstractor(nn.Module):
    """Turn features (batch, 1 + patches, encoder width) into tokens (batch, queries + 1, language width)."""

    def __init__(self, config: AbstractorConfig, language_width: int) -> None:
        super().__init__()
        width = config.hidden_size
        self.query_embeds = nn.Parameter(torch.zeros(1, config.num_learnable_queries, width))
        self.vit_eos = nn.Parameter(torch.zeros(1, 1, language_width))
        self.visual_fc = nn.Linear(width, language_width)
        self.encoder: Any = nn.Module()
        self.encoder.layers = nn.ModuleList([_Layer(config) for _ in range(config.num_hidden_layers)])
        self.place(config)

    def place(self, config: AbstractorConfig) -> None:
        """Compute what tells places: of the queries in their row, of the patches in the picture."""
        grid = torch.arange(config.grid_size, dtype=torch.float64)
        rows, columns = torch.meshgrid(grid, grid, indexing="ij")
        places = [_waves(axis.flatten(), config.encoder_hidden_size // 2) for axis in (columns, rows)]
        no_place = torch.zeros(1, config.encoder_hidden_size, dtype=torch.float64)  # of the class token
        in_picture = torch.cat([no_place, torch.cat(places, dim=1)])
        of_queries = _waves(torch.arange(config.num_learnable_queries, dtype=torch.float64), config.hidden_size)
        self.register_buffer("query_places", of_queries.float(), persistent=False)
        self.register_buffer("feature_places", in_picture.float(), persistent=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the tokens, the last of them the learnt end of the picture."""
        queries = self.query_embeds.expand(len(features), -1, -1).to(features.dtype)
        places = self.query_places.to(features.dtype), self.feature_places.to(features.dtype)
        for layer in self.encoder.layers:
            queries = layer.crossattention(queries, features, *places)
        tokens = self.visual_fc(queries)
        return torch.cat([tokens, self.vit_eos.expand(len(tokens), -1, -1).to(tokens.dtype)], dim=1)


def _waves(places: torch.Tensor, width: int) -> torch.Tensor:
    """Return (places, width): sines, then cosines, of ever longer waves."""
    rates = 1 / 10000 ** (torch.arange(width // 2, dtype=torch.float64) / (width // 2))
    angles = places[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class _Layer(nn.Module):
    def __init__(self, config: AbstractorConfig) -> None:
        super().__init__()
        self.crossattention = _CrossAttention(config)


class _CrossAttention(nn.Module):
    def __init__(self, config: AbstractorConfig) -> None:
        super().__init__()
        width, encoder_width = config.hidden_size, config.encoder_hidden_size
        self.num_heads = config.num_attention_heads
        self.norm1, self.normk = nn.LayerNorm(width), nn.LayerNorm(encoder_width)
        self.attention = nn.ModuleDict(
            {
                "query": nn.Linear(width, width),
                "key": nn.Linear(encoder_width, width),
                "value": nn.Linear(encoder_width, width),
            }
        )
        inner = config.intermediate_size
        mlp = {
            "w1": nn.Linear(width, inner),
            "w2": nn.Linear(inner, width),
            "w3": nn.Linear(width, inner),
            "ffn_ln": nn.LayerNorm(inner, config.layer_norm_eps),
        }
        output = {"out_proj": nn.Linear(width, width), "norm2": nn.LayerNorm(width), "mlp": nn.ModuleDict(mlp)}
        self.output = nn.ModuleDict(output)

    def forward(
        self,
        queries: torch.Tensor,
        features: torch.Tensor,
        query_places: torch.Tensor,
        feature_places: torch.Tensor,
    ) -> torch.Tensor:
        queries, features = self.norm1(queries), self.normk(features)
        seen = torch.cat([queries, features], dim=1)
        placed = seen + torch.cat([query_places, feature_places])  # keys tell places; values do not
        query = self._heads(self.attention["query"](queries + query_places))
        key, value = self._heads(self.attention["key"](placed)), self._heads(self.attention["value"](seen))
        attended = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        # The residual is that of the normalised queries.
        queries = queries + self.output["out_proj"](attended)
        mlp: Any = self.output["mlp"]
        normalised = self.output["norm2"](queries)
        gated = F.silu(mlp["w1"](normalised)) * mlp["w3"](normalised)
        changed: torch.Tensor = queries + mlp["w2"](mlp["ffn_ln"](gated))
        return changed

    def _heads(self, tokens: torch.Tensor) -> torch.Tensor:
        batch, count, _ = tokens.shape
        return tokens.view(batch, count, self.num_heads, -1).transpose(1, 2)
