"""Model folders of Wan2.2, tiny and with random weights, written by diffusers' own pipeline class."""

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLWan, FlowMatchEulerDiscreteScheduler, WanImageToVideoPipeline, WanTransformer3DModel
from transformers import AutoTokenizer, UMT5EncoderModel

from tests.conftest import TINY_WAN

BOUNDARY = 0.9
TRANSFORMER = {
    "patch_size": (1, 2, 2),
    "num_attention_heads": 2,
    "attention_head_dim": 12,
    "in_channels": 36,
    "out_channels": 16,
    "text_dim": 64,  # of the demo's text encoder
    "freq_dim": 32,
    "ffn_dim": 32,
    "num_layers": 2,
    "cross_attn_norm": True,
    "qk_norm": "rms_norm_across_heads",
    "rope_max_seq_len": 32,
}
VAE = {
    "base_dim": 3,
    "z_dim": 16,
    "dim_mult": [1, 1, 1, 1],
    "num_res_blocks": 1,
    "temperal_downsample": [False, True, True],
}
VAE_22 = {
    **VAE,
    "z_dim": 48,
    "in_channels": 12,
    "out_channels": 12,
    "is_residual": True,
    "patch_size": 2,
    "latents_mean": [0.0] * 48,
    "latents_std": [1.0] * 48,
    "scale_factor_spatial": 16,
    "scale_factor_temporal": 4,
}


def write_a14b(folder: Path, boundary: float = BOUNDARY) -> Path:
    """Write a folder of two experts and a boundary, with no image encoder."""
    torch.manual_seed(0)
    experts = [WanTransformer3DModel(**TRANSFORMER) for _ in range(2)]
    return _write(folder, AutoencoderKLWan(**VAE), *experts, boundary_ratio=boundary)


def write_ti2v(folder: Path) -> Path:
    """Write a folder of a model that is told times of tokens, with the VAE of Wan2.2."""
    torch.manual_seed(0)
    transformer = WanTransformer3DModel(**{**TRANSFORMER, "in_channels": 48, "out_channels": 48})
    return _write(folder, AutoencoderKLWan(**VAE_22), transformer, None, expand_timesteps=True)


def _write(folder: Path, vae: Any, transformer: Any, transformer_2: Any, **settings: Any) -> Path:
    pipeline = WanImageToVideoPipeline(
        tokenizer=AutoTokenizer.from_pretrained(TINY_WAN / "tokenizer"),
        text_encoder=UMT5EncoderModel.from_pretrained(TINY_WAN / "text_encoder", dtype=torch.float32),
        vae=vae,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=5.0),
        transformer=transformer,
        transformer_2=transformer_2,
        **settings,
    )
    pipeline.save_pretrained(folder)
    return folder
