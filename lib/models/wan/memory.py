"""What a Wan model takes of a GPU's memory; measured on an H200 with the 14B, see docs/speed.md."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import torch

from lib.config.families import without_prefix
from lib.core.units import GIB
from lib.execution.memory_modes import Costs, Needs
from lib.inputs.gguf_header import PLAIN, read_gguf_header

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
WIDENING_BYTES = 12  # for each number of the widest matrix, while it is widened; counted, not measured
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


def count_packed(needs: Needs, files: Sequence[Path], dtype: torch.dtype) -> Needs:
    """Count blocks whose matrices stay as GGUF files have them, one file for each denoiser: the largest counts."""
    blocks, widest = 0, 0
    for path in files:
        inside = [
            tensor
            for name, tensor in read_gguf_header(path).tensors.items()
            if without_prefix(name).startswith("blocks.")
        ]
        sizes = [prod(tensor.shape) * dtype.itemsize if tensor.kind in PLAIN else tensor.num_bytes for tensor in inside]
        blocks, widest = max(blocks, sum(sizes)), max([widest, *(prod(tensor.shape) for tensor in inside)])
    return packed_needs(needs, blocks // needs.num_blocks, widest)


def packed_needs(needs: Needs, block_bytes: int, widest: int) -> Needs:
    """Return the needs with blocks of another size, and room to unpack a matrix of so many numbers."""
    return replace(needs, block_bytes=block_bytes, other_bytes=needs.other_bytes + WIDENING_BYTES * widest)


def count_tokens(config: Mapping[str, Any], latents_shape: Sequence[int]) -> int:
    """Count the tokens that a WanTransformer3DModel makes of latents (batch, channels, frames, height, width)."""
    _, _, frames, height, width = latents_shape
    step, rows, columns = config["patch_size"]
    return int((frames // step) * (height // rows) * (width // columns))
