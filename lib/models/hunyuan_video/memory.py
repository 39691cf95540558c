"""What a HunyuanVideo model takes of a GPU's memory; estimated, see docs/models.md."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from lib.core.units import GIB
from lib.execution.memory_modes import Costs, Needs

COSTS = Costs(
    # No weights of this family were at hand to measure with: what a block of Wan keeps, which has as many linear layers
    # of the same widths for each token.
    saved_outputs={"everything": 40.0, "most": 10.8, "linear": 8.1, "attention": 2.1, "inputs": 1.0},
    training_work=34,
    generation_work=14,
    adapter_bytes=1.5 * GIB,
)
TEXT_TOKENS = 540  # at most, beside a video's: the picture's and the prompt's
ENCODER_WORK = 8 * GIB  # of the VAE and CLIP, which are loaded beside LLaVA
VAE_FRAMES = 17  # that the VAE works on at once
VAE_BYTES = 3_500  # of work for each pixel of each of them
VAE_MASK_BYTES = 8  # for each pair of latents in them: its attention's mask, and what is made of it
DUAL_SQUARES, SINGLE_SQUARES, OTHER_SQUARES = 36, 15, 60  # weights in blocks and outside, in squares of the width


def transformer_needs(config: Mapping[str, Any], latents_shape: Sequence[int], dtype: torch.dtype) -> Needs:
    """Count what the transformer needs for latents (batch, channels, frames, height, width).

    Blocks are of two kinds; they count as so many of their mean size.
    """
    batch, _, frames, height, width = latents_shape
    tokens = batch * (frames * (height // config["patch_size"]) * (width // config["patch_size"]) + TEXT_TOKENS)
    channels = config["num_attention_heads"] * config["attention_head_dim"]
    num_dual, num_single = config["num_layers"], config["num_single_layers"]
    of_blocks = (DUAL_SQUARES * num_dual + SINGLE_SQUARES * num_single) * channels**2
    other = OTHER_SQUARES * channels**2
    num_blocks, itemsize = num_dual + num_single, dtype.itemsize
    counts = (num_blocks, of_blocks * itemsize // num_blocks, other * itemsize, tokens * channels * itemsize)
    return Needs(*counts, num_parameters=of_blocks + other, costs=COSTS)


def vae_needs(width: int, height: int) -> int:
    """Estimate the bytes that the VAE works in on frames of so many pixels, whole."""
    pixels, latents = width * height, (VAE_FRAMES // 4 + 1) * (width // 8) * (height // 8)
    return VAE_BYTES * VAE_FRAMES * pixels + VAE_MASK_BYTES * latents**2
