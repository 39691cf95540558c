"""Files of a Wan denoiser's weights, under the names that other programs use."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

ORIGINAL = {
    "condition_embedder.image_embedder.norm1": "img_emb.proj.0",
    "condition_embedder.image_embedder.ff.net.0.proj": "img_emb.proj.1",
    "condition_embedder.image_embedder.ff.net.2": "img_emb.proj.3",
    "condition_embedder.image_embedder.norm2": "img_emb.proj.4",
    "condition_embedder.time_embedder.linear_1": "time_embedding.0",
    "condition_embedder.time_embedder.linear_2": "time_embedding.2",
    "condition_embedder.text_embedder.linear_1": "text_embedding.0",
    "condition_embedder.text_embedder.linear_2": "text_embedding.2",
    "condition_embedder.time_proj": "time_projection.1",
    "proj_out": "head.head",
    "attn1": "self_attn",
    "attn2": "cross_attn",
    "to_out.0": "o",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "add_k_proj": "k_img",
    "add_v_proj": "v_img",
    "norm_added_k": "norm_k_img",
    "ffn.net.0.proj": "ffn.0",
    "ffn.net.2": "ffn.2",
}
"""diffusers' names and Wan's own, written down apart from what is tested (Wan2.1's wan/modules/model.py)."""


def original_name(name: str) -> str:
    """Return the name that Wan's own code has for a weight."""
    if name == "scale_shift_table":
        return "head.modulation"
    name = name.replace("scale_shift_table", "modulation")
    if ".norm2." in name and name.startswith("blocks."):
        return name.replace(".norm2.", ".norm3.")  # the norm before cross-attention
    for own, original in ORIGINAL.items():
        name = (
            name.replace(f"{own}.", f"{original}.")
            if name.startswith(f"{own}.")
            else name.replace(f".{own}.", f".{original}.")
        )
    return name


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    """Read the weights of a denoiser's folder, in float32."""
    (path,) = folder.glob("*.safetensors")
    return {name: tensor.float() for name, tensor in load_file(path).items()}


def save_original(weights: dict[str, torch.Tensor], path: Path, prefix: str = "") -> None:
    """Write weights as ComfyUI has them."""
    save_file({prefix + original_name(name): tensor.contiguous() for name, tensor in weights.items()}, path)


def save_fp8_scaled(weights: dict[str, torch.Tensor], path: Path, end: str) -> dict[str, torch.Tensor]:
    """Write the blocks' matrices in 8 bits, each with a scale; return what they are worth."""
    stored: dict[str, torch.Tensor] = {"scaled_fp8": torch.zeros(2, dtype=torch.float8_e4m3fn)}
    worth = dict(weights)
    for name, tensor in weights.items():
        original = "model.diffusion_model." + original_name(name)
        stored[original] = tensor.contiguous()
        if tensor.ndim == 2 and name.startswith("blocks.") and name.endswith(".weight"):
            scale = tensor.abs().max() / 448
            stored[original] = (tensor / scale).to(torch.float8_e4m3fn)
            stored[original.removesuffix(".weight") + end] = scale
            worth[name] = stored[original].float() * scale
    save_file(stored, path)
    return worth
