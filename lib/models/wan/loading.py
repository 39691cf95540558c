"""Load the components of a WanImageToVideoPipeline folder or hub id, each where and as its memory mode says.

Safetensors only, never remote code.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from transformers import AutoImageProcessor, AutoTokenizer, CLIPVisionModel, UMT5EncoderModel

from lib.core.units import GIB
from lib.execution.block_runs import Execution, set_up_blocks
from lib.execution.convolutions import speed_up_convolutions
from lib.execution.devices import free_memory
from lib.execution.memory_modes import (
    Costs,
    MemoryUse,
    choose_execution,
    estimate_gpu_bytes,
    fits_beside,
    samples_at_once,
    stream_encoder,
)
from lib.models.experts import Expert, Experts
from lib.models.wan.memory import ENCODER_WORK, count_packed, transformer_needs
from lib.models.wan.rotary import PlacedRotaryEmbedding
from lib.models.wan.single_file import load_from_file


def load_vae(name: str, device: torch.device, download: bool) -> Any:
    """Load the VAE, an AutoencoderKLWan in float32."""
    vae = _from_folder(AutoencoderKLWan, name, "vae", torch.float32, download)
    return speed_up_convolutions(_freeze(vae, device))


def load_encoders(
    name: str, device: torch.device, dtype: torch.dtype, memory: MemoryUse, download: bool, has_image_context: bool
) -> dict[str, Any]:
    """Load the text encoder, which may be streamed, an image encoder if there is one, and what prepares inputs."""
    local = not download
    tokenizer = AutoTokenizer.from_pretrained(name, subfolder="tokenizer", local_files_only=local)
    text_encoder = _from_folder(UMT5EncoderModel, name, "text_encoder", dtype, download)
    weights = text_encoder.num_parameters() * dtype.itemsize
    if stream_encoder(memory.mode, weights + ENCODER_WORK, free_memory(device)):
        print("the text encoder's weights come from host memory, block by block")
        how = Execution(saved="inputs", stream_weights=True)
        set_up_blocks(text_encoder.requires_grad_(False).encoder.block, how, device)
    encoders = {"tokenizer": tokenizer, "text_encoder": _freeze(text_encoder, device)}
    return {**encoders, **(_load_image_encoder(name, device, download) if has_image_context else {})}


def _load_image_encoder(name: str, device: torch.device, download: bool) -> dict[str, Any]:
    image_processor = AutoImageProcessor.from_pretrained(
        name, subfolder="image_processor", local_files_only=not download
    )
    if getattr(image_processor, "do_center_crop", False) and "shortest_edge" in dict(image_processor.size):
        # Wan's own code shows its image encoder the whole frame, squeezed to a square.
        print(f"{name}'s image processor cuts the sides off: the image encoder sees the middle of a frame alone")
    image_encoder = _from_folder(CLIPVisionModel, name, "image_encoder", torch.float32, download)
    return {"image_processor": image_processor, "image_encoder": _freeze(image_encoder, device)}


def load_experts(
    name: str,
    experts: Sequence[Expert],
    costs: Costs,
    device: torch.device,
    dtype: torch.dtype,
    memory: MemoryUse,
    download: bool,
    files: Sequence[Path] = (),
) -> tuple[Experts, dict[str, Any]]:
    """Load the denoisers in the memory mode asked for; what is streamed never is on the device as a whole.

    Of several, all alike, the first is loaded now. For generation all are kept where they fit, else one at a time; a
    training has one at a time, since it changes the next only when it is done with the one before.

    Args:
        name: of the folder or hub id. experts, costs: of the model.
        device, dtype, memory, download: see `lib.models.load.load_model`.
        files: of their weights, one for each; none: the folder's.

    Returns:
        the denoisers, and how each is run; see `lib.models.base.VideoModel.execution`.
    """
    config = WanTransformer3DModel.load_config(name, subfolder=experts[0].name, local_files_only=not download)
    needs = transformer_needs(config, memory.latents_shape, dtype, costs)
    packed = memory.weights == "gguf"
    if packed:
        needs = count_packed(needs, files, dtype)
    free = free_memory(device)
    mode, execution = choose_execution(memory.mode, memory.weights, needs, memory.training, free)
    at_once = samples_at_once(execution, needs, memory.training, free)
    expected = estimate_gpu_bytes(execution, needs, memory.training) / GIB
    print(f"memory mode {mode}: {execution}; about {expected:.1f} GiB expected")
    straight = {"device_map": {"": device}} if device.type == "cuda" and not execution.stream_weights else {}
    keep = not memory.training and fits_beside(execution, needs, len(experts) - 1, free)

    def load(expert: Expert) -> WanTransformer3DModel:
        if len(experts) > 1:
            print(f"{expert.name}, for sigma from {expert.lowest:g} to {expert.highest:g}", flush=True)
        if files:
            path = files[experts.index(expert)]
            print(f"{expert.name} from {path}", flush=True)
            home = device if straight else torch.device("cpu")
            transformer = load_from_file(path, config, dtype, device, home, packed)
        else:
            transformer = _from_folder(WanTransformer3DModel, name, expert.name, dtype, download, **straight)
        return place_transformer(transformer.requires_grad_(False), execution, device)

    return Experts(experts, load, keep), {"mode": mode, **asdict(execution), "at_once": at_once}


def place_transformer(
    transformer: WanTransformer3DModel, execution: Execution, device: torch.device
) -> WanTransformer3DModel:
    """Put a frozen transformer on a device, as its blocks are to be run."""
    transformer.rope = PlacedRotaryEmbedding(transformer.rope)
    set_up_blocks(transformer.blocks, execution, device)
    return transformer.eval().to(device)


def _from_folder(kind: Any, name: str, folder: str, dtype: torch.dtype, download: bool, **options: Any) -> Any:
    """Load a component of diffusers or transformers."""
    return kind.from_pretrained(
        name, subfolder=folder, use_safetensors=True, local_files_only=not download, dtype=dtype, **options
    )


def _freeze(module: Any, device: torch.device) -> Any:
    return module.requires_grad_(False).eval().to(device)
