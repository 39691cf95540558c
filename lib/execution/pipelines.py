"""A whole diffusers pipeline on a device, as much of it at once as its memory holds: editors of pictures, and VACE."""

from typing import Any

import torch

from lib.config.sections import MemoryMode
from lib.execution.devices import free_memory
from lib.execution.memory_modes import stream_encoder


def place_pipeline(pipeline: Any, device: torch.device, memory: MemoryMode, work_bytes: int) -> None:
    """Bring a pipeline to its device by diffusers' own offloading.

    Args:
        pipeline: of diffusers, with all of its components.
        memory: `low` brings layer by layer; `auto`, where the weights do not fit, component by component.
        work_bytes: needed beside the weights.
    """
    modules = [module for module in pipeline.components.values() if isinstance(module, torch.nn.Module)]
    needed = sum(weight.nbytes for module in modules for weight in module.parameters()) + work_bytes
    if device.type == "cuda" and memory == "low":
        pipeline.enable_sequential_cpu_offload(device=device)
    elif device.type == "cuda" and stream_encoder(memory, needed, free_memory(device)):
        pipeline.enable_model_cpu_offload(device=device)
    else:
        pipeline.to(device)
