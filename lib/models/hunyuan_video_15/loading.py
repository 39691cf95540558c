"""Load the components of a HunyuanVideo-1.5 image-to-video folder or hub id, as its memory mode says.

Safetensors only, never remote code.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from diffusers import AutoencoderKLHunyuanVideo15, HunyuanVideo15Transformer3DModel
from diffusers.models.transformers.transformer_hunyuan_video import HunyuanVideoAttnProcessor2_0
from transformers import AutoImageProcessor, AutoTokenizer, Qwen2_5_VLTextModel, SiglipVisionModel, T5EncoderModel

from lib.core.errors import InputError, Problem
from lib.core.units import GIB
from lib.execution.block_runs import Execution, set_up_blocks
from lib.execution.devices import free_memory
from lib.execution.memory_modes import MemoryUse, choose_execution, estimate_gpu_bytes, stream_encoder
from lib.models.hunyuan_video.loading import freeze, from_folder, place_blocks
from lib.models.hunyuan_video_15.family import check_config
from lib.models.hunyuan_video_15.memory import ENCODER_WORK, transformer_needs


def read_config(name: str, download: bool) -> Mapping[str, Any]:
    """Read the transformer's config.json.

    Raises:
        InputError: it is of a relative that the adapter does not run.
    """
    config: Mapping[str, Any] = HunyuanVideo15Transformer3DModel.load_config(
        name, subfolder="transformer", local_files_only=not download
    )
    try:
        check_config(config)
    except KeyError as error:
        found = f"'{name}', whose transformer has {error.args[0]} {config.get(error.args[0])}"
        raise InputError([Problem("model.name", found, "an image-to-video model without MeanFlow")]) from None
    return config


def load_vae(name: str, device: torch.device, download: bool) -> Any:
    """Load the VAE in float32, to work tile by tile: it has no other way to spare memory, and needs much."""
    vae = freeze(from_folder(AutoencoderKLHunyuanVideo15, name, "vae", torch.float32, download), device)
    vae.enable_tiling()
    return vae


def load_encoders(
    name: str, device: torch.device, dtype: torch.dtype, memory: MemoryUse, download: bool
) -> dict[str, Any]:
    """Load the language model, which may be streamed, ByT5, the image encoder, and what prepares their inputs."""
    local = not download
    language = from_folder(Qwen2_5_VLTextModel, name, "text_encoder", dtype, download)
    weights = language.num_parameters() * dtype.itemsize
    if stream_encoder(memory.mode, weights + ENCODER_WORK, free_memory(device)):
        print("the text encoder's weights come from host memory, block by block")
        how = Execution(saved="inputs", stream_weights=True)
        set_up_blocks(language.requires_grad_(False).layers, how, device)
    return {
        "text_encoder": freeze(language, device),
        "text_encoder_2": freeze(from_folder(T5EncoderModel, name, "text_encoder_2", dtype, download), device),
        "image_encoder": freeze(from_folder(SiglipVisionModel, name, "image_encoder", torch.float32, download), device),
        "tokenizer": AutoTokenizer.from_pretrained(name, subfolder="tokenizer", local_files_only=local),
        "tokenizer_2": AutoTokenizer.from_pretrained(name, subfolder="tokenizer_2", local_files_only=local),
        "feature_extractor": AutoImageProcessor.from_pretrained(
            name, subfolder="feature_extractor", local_files_only=local
        ),
    }


def load_transformer(
    name: str, config: Mapping[str, Any], device: torch.device, dtype: torch.dtype, memory: MemoryUse, download: bool
) -> tuple[HunyuanVideo15Transformer3DModel, dict[str, Any]]:
    """Load the denoiser in the memory mode asked for; what is streamed never is on the device as a whole.

    Returns:
        the denoiser, and how it is run; see `lib.models.base.VideoModel.execution`.
    """
    needs = transformer_needs(config, memory.latents_shape, dtype)
    mode, execution = choose_execution(memory.mode, memory.weights, needs, memory.training, free_memory(device))
    expected = estimate_gpu_bytes(execution, needs, memory.training) / GIB
    print(f"memory mode {mode}: {execution}; about {expected:.1f} GiB expected")
    straight = {"device_map": {"": device}} if device.type == "cuda" and not execution.stream_weights else {}
    transformer = from_folder(HunyuanVideo15Transformer3DModel, name, "transformer", dtype, download, **straight)
    placed = place_transformer(transformer.requires_grad_(False), execution, device)
    return placed, {"mode": mode, **asdict(execution), "at_once": 1}


def place_transformer(
    transformer: HunyuanVideo15Transformer3DModel, execution: Execution, device: torch.device
) -> HunyuanVideo15Transformer3DModel:
    """Put a frozen transformer on a device, as its blocks are to be run.

    Their attention is HunyuanVideo's, which takes no mask: their own builds one of all tokens by all tokens.
    """
    for block in transformer.transformer_blocks:
        block.attn.set_processor(HunyuanVideoAttnProcessor2_0())
    place_blocks(transformer.transformer_blocks, execution, device)
    return transformer.eval().to(device)
