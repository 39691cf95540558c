"""What a Wan model takes of a GPU's memory; measured on an H200 with the 14B, see docs/speed.md."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from lib.core.units import GIB
from lib.execution.memory_modes import Costs, Needs

COSTS = Costs(
    saved_outputs={"everything": 40.0, "most": 10.8, "linear": 8.1, "attention": 2.1, "inputs": 1.0},
    training_work=34,
    generation_work=14,
    adapter_bytes=1.5 * GIB,  # of rank 16
)
TOKEN_TIMES_COSTS = replace(
    COSTS,
    # Six numbers in float32 for each channel of each token, of which all blocks share one copy and each makes another.
    saved_outputs={**COSTS.saved_outputs, "everything": COSTS.saved_outputs["everything"] + 12},
    training_work=COSTS.training_work + 24,
    generation_work=COSTS.generation_work + 24,
)
"""Where each token has a time of its own; counted, not measured."""

ENCODER_WORK = 8 * GIB  # of the VAE and the image encoder, which are loaded beside the text encoder
VAE_BYTES = 24_000  # of work for each pixel of a frame; a quarter of it, in twice the time, tile by tile


def transformer_needs(
    config: Mapping[str, Any], latents_shape: Sequence[int], dtype: torch.dtype, costs: Costs = COSTS
) -> Needs:
    """Count what a WanTransformer3DModel needs for latents (batch, channels, frames, height, width)."""
    tokens = latents_shape[0] * count_tokens(config, latents_shape)
    channels = config["num_attention_heads"] * config["attention_head_dim"]
    attention, added = 4 * channels**2, 2 * channels * (config["added_kv_proj_dim"] or 0)
    block = 2 * attention + added + 2 * channels * config["ffn_dim"]
    other = 7 * channels**2 + channels * (config["text_dim"] + (config["image_dim"] or 0))
    itemsize = dtype.itemsize
    counts = (config["num_layers"], block * itemsize, other * itemsize, tokens * channels * itemsize)
    return Needs(*counts, num_parameters=config["num_layers"] * block + other, costs=costs)


def count_tokens(config: Mapping[str, Any], latents_shape: Sequence[int]) -> int:
    """Count the tokens that a WanTransformer3DModel makes of latents (batch, channels, frames, height, width)."""
    _, _, frames, height, width = latents_shape
    step, rows, columns = config["patch_size"]
    return int((frames // step) * (height // rows) * (width // columns))
