"""Load the components of a HunyuanVideo image-to-video folder or hub id, as its memory mode says.

Safetensors only, never remote code.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import torch
from diffusers import AutoencoderKLHunyuanVideo, HunyuanVideoImageToVideoPipeline, HunyuanVideoTransformer3DModel
from torch import nn
from transformers import AutoImageProcessor, AutoTokenizer, CLIPTextModel, LlavaForConditionalGeneration

from lib.core.errors import InputError, Problem
from lib.core.units import GIB
from lib.execution.block_runs import FP8_STORES, Execution, set_up_blocks
from lib.execution.devices import free_memory
from lib.execution.fp8 import Fp8Linear, store_in_fp8
from lib.execution.memory_modes import MemoryUse, choose_execution, estimate_gpu_bytes, stream_encoder
from lib.models.hunyuan_video.family import FORMS
from lib.models.hunyuan_video.memory import ENCODER_WORK, transformer_needs
from lib.models.hunyuan_video.text import check_tokenizer

MODULATION = "norm"  # begins the names of a block's parts that turn the time into scales: too few and fine for 8 bits


def read_form(name: str, download: bool) -> str:
    """Read from the transformer's config.json how the model is shown its first frame, one of `FORMS`.

    Raises:
        InputError: it is shown none: a text-to-video model.
    """
    form = transformer_config(name, download).get("image_condition_type")
    if form not in FORMS:
        found = f"'{name}', whose transformer has image_condition_type {form}"
        raise InputError([Problem("model.name", found, f"an image-to-video model, with one of {', '.join(FORMS)}")])
    return str(form)


def transformer_config(name: str, download: bool) -> Mapping[str, Any]:
    """Read the transformer's config.json."""
    config: Mapping[str, Any] = HunyuanVideoTransformer3DModel.load_config(
        name, subfolder="transformer", local_files_only=not download
    )
    return config


def load_vae(name: str, device: torch.device, download: bool) -> Any:
    """Load the VAE in float32."""
    return freeze(from_folder(AutoencoderKLHunyuanVideo, name, "vae", torch.float32, download), device)


def load_encoders(name: str, device: torch.device, dtype: torch.dtype, memory: MemoryUse, download: bool) -> Any:
    """Load LLaVA, which may be streamed, CLIP's text encoder and what prepares their inputs, as a pipeline of them."""
    local = not download
    tokenizers = [
        AutoTokenizer.from_pretrained(name, subfolder=folder, local_files_only=local)
        for folder in ("tokenizer", "tokenizer_2")
    ]
    image_processor = AutoImageProcessor.from_pretrained(name, subfolder="image_processor", local_files_only=local)
    llava = from_folder(LlavaForConditionalGeneration, name, "text_encoder", dtype, download)
    check_tokenizer(tokenizers[0], llava.config.image_token_index, name)
    weights = llava.num_parameters() * dtype.itemsize
    if stream_encoder(memory.mode, weights + ENCODER_WORK, free_memory(device)):
        print("the text encoder's weights come from host memory, block by block")
        how = Execution(saved="inputs", stream_weights=True)
        set_up_blocks(llava.requires_grad_(False).model.language_model.layers, how, device)
    return HunyuanVideoImageToVideoPipeline(
        text_encoder=freeze(llava, device),
        tokenizer=tokenizers[0],
        text_encoder_2=freeze(from_folder(CLIPTextModel, name, "text_encoder_2", dtype, download), device),
        tokenizer_2=tokenizers[1],
        image_processor=image_processor,
        transformer=None,
        vae=None,
        scheduler=None,
    )


def load_transformer(
    name: str, device: torch.device, dtype: torch.dtype, memory: MemoryUse, download: bool
) -> tuple[HunyuanVideoTransformer3DModel, dict[str, Any]]:
    """Load the denoiser in the memory mode asked for; what is streamed never is on the device as a whole.

    Returns:
        the denoiser, and how it is run; see `lib.models.base.VideoModel.execution`.
    """
    needs = transformer_needs(transformer_config(name, download), memory.latents_shape, dtype)
    free = free_memory(device)
    mode, execution = choose_execution(memory.mode, memory.weights, needs, memory.training, free)
    expected = estimate_gpu_bytes(execution, needs, memory.training) / GIB
    print(f"memory mode {mode}: {execution}; about {expected:.1f} GiB expected")
    straight = {"device_map": {"": device}} if device.type == "cuda" and not execution.stream_weights else {}
    transformer = from_folder(HunyuanVideoTransformer3DModel, name, "transformer", dtype, download, **straight)
    placed = place_transformer(transformer.requires_grad_(False), execution, device)
    return placed, {"mode": mode, **asdict(execution), "at_once": 1}


def place_transformer(
    transformer: HunyuanVideoTransformer3DModel, execution: Execution, device: torch.device
) -> HunyuanVideoTransformer3DModel:
    """Put a frozen transformer on a device, as its blocks, of two kinds, are to be run."""
    for blocks in (transformer.transformer_blocks, transformer.single_transformer_blocks):
        place_blocks(blocks, execution, device)
    return transformer.eval().to(device)


def place_blocks(blocks: Any, execution: Execution, device: torch.device) -> None:
    """Put alike blocks, of a video's tokens and a text's, on a device, as they are to be run."""
    if execution.weights in FP8_STORES:
        for block in blocks:
            _store_in_fp8(block, device, products=execution.weights == "fp8_products")
    set_up_blocks(blocks, replace(execution, weights="native"), device, num_streams=2)


def _store_in_fp8(block: nn.Module, device: torch.device, products: bool) -> None:
    """Keep a block's linear layers in 8 bits, but for its modulation."""
    for name, part in list(block.named_children()):
        if name.startswith(MODULATION):
            continue
        if isinstance(part, nn.Linear):
            home = part.weight.device
            setattr(block, name, Fp8Linear(part.to(device), products).to(home))
        else:
            store_in_fp8(part, device, products)


def from_folder(kind: Any, name: str, folder: str, dtype: torch.dtype, download: bool, **options: Any) -> Any:
    """Load a component of diffusers or transformers."""
    return kind.from_pretrained(
        name, subfolder=folder, use_safetensors=True, local_files_only=not download, dtype=dtype, **options
    )


def freeze(module: Any, device: torch.device) -> Any:
    """Put a module on a device, never to be trained."""
    return module.requires_grad_(False).eval().to(device)
