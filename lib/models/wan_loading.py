"""Load the components of a WanImageToVideoPipeline folder or hub id, each where and as its memory mode says.

Safetensors only, never remote code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from transformers import AutoImageProcessor, AutoTokenizer, CLIPVisionModel, UMT5EncoderModel

from lib.attention_kernels import PYTORCHS_OWN, fastest_kernel
from lib.block_runs import Execution, set_up_blocks
from lib.devices import free_memory, speed_up_convolutions
from lib.machine import GIB
from lib.memory_modes import MemoryUse, Needs, batch_guidance, choose_execution, estimate_bytes, stream_encoder
from lib.models.wan_rotary import PlacedRotaryEmbedding


def load_vae(name: str, device: torch.device, download: bool) -> Any:
    """Load the VAE, an AutoencoderKLWan in float32."""
    vae = _from_folder(AutoencoderKLWan, name, "vae", torch.float32, download)
    return speed_up_convolutions(_freeze(vae, device))


def load_encoders(
    name: str, device: torch.device, dtype: torch.dtype, memory: MemoryUse, download: bool
) -> dict[str, Any]:
    """Load the text and the image encoder and what prepares their inputs; the text encoder may be streamed."""
    local = not download
    tokenizer = AutoTokenizer.from_pretrained(name, subfolder="tokenizer", local_files_only=local)
    image_processor = AutoImageProcessor.from_pretrained(name, subfolder="image_processor", local_files_only=local)
    text_encoder = _from_folder(UMT5EncoderModel, name, "text_encoder", dtype, download)
    if stream_encoder(memory.mode, text_encoder.num_parameters() * dtype.itemsize, free_memory(device)):
        print("the text encoder's weights come from host memory, block by block")
        how = Execution(saved="inputs", stream_weights=True)
        set_up_blocks(text_encoder.requires_grad_(False).encoder.block, how, device)
    image_encoder = _from_folder(CLIPVisionModel, name, "image_encoder", torch.float32, download)
    return {
        "tokenizer": tokenizer,
        "image_processor": image_processor,
        "text_encoder": _freeze(text_encoder, device),
        "image_encoder": _freeze(image_encoder, device),
    }


def load_transformer(
    name: str, device: torch.device, dtype: torch.dtype, memory: MemoryUse, download: bool
) -> tuple[WanTransformer3DModel, dict[str, Any]]:
    """Load the denoiser in the memory mode asked for; what is streamed never is on the device as a whole.

    Returns:
        the denoiser, and how it is run; see `lib.models.base.VideoModel.execution`.
    """
    config = WanTransformer3DModel.load_config(name, subfolder="transformer", local_files_only=not download)
    needs = transformer_needs(config, memory.latents_shape, dtype)
    free_bytes = free_memory(device)
    mode, execution = choose_execution(memory.mode, memory.weights, needs, memory.training, free_bytes)
    expected = estimate_bytes(execution, needs, memory.training) / GIB
    print(f"memory mode {mode}: {execution}; about {expected:.1f} GiB expected")
    straight = {"device_map": {"": device}} if device.type == "cuda" and not execution.stream_weights else {}
    transformer = _from_folder(WanTransformer3DModel, name, "transformer", dtype, download, **straight)
    placed = place_transformer(transformer.requires_grad_(False), execution, device)
    attention = choose_attention(placed, memory, dtype, device)
    print(f"attention kernel: {attention}")
    how = {"mode": mode, **asdict(execution), "attention": attention}
    if not memory.training:
        tokens = count_tokens(config, memory.latents_shape)
        how["batch_guidance"] = batch_guidance(execution, needs, tokens, free_bytes)
    return placed, how


def choose_attention(
    transformer: WanTransformer3DModel, memory: MemoryUse, dtype: torch.dtype, device: torch.device
) -> str:
    """Let a transformer on a GPU attend with the kernel that is fastest there, and return its name."""
    if device.type == "cpu":
        return PYTORCHS_OWN
    config = transformer.config
    tokens = count_tokens(config, memory.latents_shape)
    chosen = fastest_kernel(tokens, config.attention_head_dim, dtype, device, memory.training)
    if chosen != PYTORCHS_OWN:
        transformer.set_attention_backend(chosen)
    return chosen


def place_transformer(
    transformer: WanTransformer3DModel, execution: Execution, device: torch.device
) -> WanTransformer3DModel:
    """Put a frozen transformer on a device, as its blocks are to be run."""
    transformer.rope = PlacedRotaryEmbedding(transformer.rope)
    set_up_blocks(transformer.blocks, execution, device)
    return transformer.eval().to(device)


def transformer_needs(config: Mapping[str, Any], latents_shape: Sequence[int], dtype: torch.dtype) -> Needs:
    """Count what a WanTransformer3DModel needs for latents (batch, channels, frames, height, width)."""
    tokens = latents_shape[0] * count_tokens(config, latents_shape)
    channels = config["num_attention_heads"] * config["attention_head_dim"]
    attention, added = 4 * channels**2, 2 * channels * (config["added_kv_proj_dim"] or 0)
    block = 2 * attention + added + 2 * channels * config["ffn_dim"]
    other = 7 * channels**2 + channels * (config["text_dim"] + (config["image_dim"] or 0))
    itemsize = dtype.itemsize
    counts = (config["num_layers"], block * itemsize, other * itemsize, tokens * channels * itemsize)
    return Needs(*counts, num_parameters=config["num_layers"] * block + other)


def count_tokens(config: Mapping[str, Any], latents_shape: Sequence[int]) -> int:
    """Count the tokens that a WanTransformer3DModel makes of latents (batch, channels, frames, height, width)."""
    _, _, frames, height, width = latents_shape
    step, rows, columns = config["patch_size"]
    return int((frames // step) * (height // rows) * (width // columns))


def _from_folder(kind: Any, name: str, folder: str, dtype: torch.dtype, download: bool, **options: Any) -> Any:
    """Load a component of diffusers or transformers."""
    return kind.from_pretrained(
        name, subfolder=folder, use_safetensors=True, local_files_only=not download, dtype=dtype, **options
    )


def _freeze(module: Any, device: torch.device) -> Any:
    return module.requires_grad_(False).eval().to(device)
