"""The video model as a stage of the workflow asks for it: by the settings that its rule passes on."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch

from lib.core.failures import ran_out_of_memory
from lib.execution.devices import prepare_torch
from lib.execution.memory_modes import MemoryUse
from lib.inputs.checkpoints import resolve_path
from lib.models.base import VideoModel
from lib.models.load import load_model


def load_stage_model(
    settings: Mapping[str, Any],
    components: Collection[str],
    num_threads: int,
    latents_shape: Sequence[int] = (),
    training: bool = False,
    log: str | None = None,
) -> tuple[VideoModel, torch.device]:
    """Set torch up and load what a stage needs of the model.

    Args:
        settings: `model.name`, `model.family`, `model.device`, `model.download`; for the transformer and the
            encoders also `model.dtype`, `model.memory` and `model.weights`.
        components: see `lib.models.load.load_model`.
        num_threads: CPU threads granted by the scheduler.
        latents_shape: (batch, channels, latent frames, height, width) of the largest sample, where the transformer is
            loaded: memory is planned for it.
        training: whether a backward pass follows.
        log: of the stage; where it says that the attempt before ran out of memory, mode low is taken.
    """
    device, dtype = prepare_torch(settings["model.device"], settings.get("model.dtype", "float32"), num_threads)
    memory = settings.get("model.memory", "auto")
    if log and memory != "low" and ran_out_of_memory(log):
        print(f"the attempt before ran out of memory in mode {memory}: this one takes mode low")
        memory = "low"
    use = (memory, settings.get("model.weights", "native"))
    model = load_model(
        resolve_path(settings["model.name"]),
        components,
        family=settings["model.family"],
        device=device,
        dtype=dtype,
        memory=MemoryUse(*use, tuple(latents_shape), training),
        download=settings["model.download"],
    )
    print(f"{settings['model.name']}: {', '.join(sorted(components))} on {device}, {dtype}")
    return model, device
