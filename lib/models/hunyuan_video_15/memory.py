"""What a HunyuanVideo-1.5 model takes of a GPU's memory; estimated, see docs/models.md."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from lib.core.units import GIB
from lib.execution.memory_modes import Needs
from lib.models.hunyuan_video.memory import COSTS

TEXT_TOKENS = 1100  # beside a video's: 729 of the picture, and a prompt's
ENCODER_WORK = 8 * GIB  # of the VAE and the other encoders, which are loaded beside the language model
BLOCK_SQUARES, OTHER_SQUARES = 36, 40  # weights in a block and outside, in squares of the width


def transformer_needs(config: Mapping[str, Any], latents_shape: Sequence[int], dtype: torch.dtype) -> Needs:
    """Count what the transformer needs for latents (batch, channels, frames, height, width)."""
    batch, _, frames, height, width = latents_shape
    tokens = batch * (frames * (height // config["patch_size"]) * (width // config["patch_size"]) + TEXT_TOKENS)
    channels = config["num_attention_heads"] * config["attention_head_dim"]
    block, other, itemsize = BLOCK_SQUARES * channels**2, OTHER_SQUARES * channels**2, dtype.itemsize
    counts = (config["num_layers"], block * itemsize, other * itemsize, tokens * channels * itemsize)
    return Needs(*counts, num_parameters=config["num_layers"] * block + other, costs=COSTS)
