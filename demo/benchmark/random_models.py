"""Models of the real architectures with random weights: their speed and memory are the real ones'."""

from collections.abc import Mapping
from typing import Any

import torch
from diffusers import WanTransformer3DModel
from diffusers.models.transformers.transformer_wan import WanTransformerBlock

from lib.models.base import Sample

TEXT_TOKENS, IMAGE_TOKENS = 512, 257
KEPT_IN_FLOAT32 = WanTransformer3DModel._keep_in_fp32_modules


def random_transformer(
    config: Mapping[str, Any], device: torch.device, dtype: torch.dtype, home: torch.device, seed: int = 0
) -> WanTransformer3DModel:
    """Build a Wan transformer, block by block, so that never more than one is on the device before its time.

    Args:
        config: of a WanTransformer3DModel.
        device: where random numbers are drawn.
        dtype: of the weights, but for those that the class keeps in float32.
        home: where the finished blocks wait.
        seed: of the weights.
    """
    torch.manual_seed(seed)
    with torch.device(device):
        transformer = _cast(WanTransformer3DModel(**{**config, "num_layers": 0}), dtype)
    width = config["num_attention_heads"] * config["attention_head_dim"]
    keys = ("qk_norm", "cross_attn_norm", "eps", "added_kv_proj_dim")
    shape = (width, config["ffn_dim"], config["num_attention_heads"], *(config[key] for key in keys))
    for _ in range(config["num_layers"]):
        with torch.device(device):
            block = _cast(WanTransformerBlock(*shape), dtype)
        transformer.blocks.append(block.to(home))
    transformer.register_to_config(num_layers=config["num_layers"])
    return transformer.requires_grad_(False).eval()


def random_sample(
    config: Mapping[str, Any], frames: int, height: int, width: int, device: torch.device, dtype: torch.dtype
) -> Sample:
    """Draw latents and a conditioning of the shapes that a clip of so many frames and pixels has."""
    generator = torch.Generator("cpu").manual_seed(1)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator).to(device)

    cells = (1 + (frames - 1) // 4, height // 8, width // 8)
    conditioning = {
        "prompt_embeds": draw(1, TEXT_TOKENS, config["text_dim"]).to(dtype),
        "image_embeds": draw(1, IMAGE_TOKENS, config["image_dim"]),
        "packed_mask": (draw(1, 4, *cells) > 0).float(),
        "condition_latents": draw(1, 16, *cells),
    }
    return Sample(draw(1, 16, *cells), conditioning)


def _cast(module: Any, dtype: torch.dtype) -> Any:
    """Cast parameters as from_pretrained does."""
    for name, parameter in module.named_parameters():
        if not any(kept in name for kept in KEPT_IN_FLOAT32):
            parameter.data = parameter.data.to(dtype)
    return module
