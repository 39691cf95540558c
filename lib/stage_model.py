"""The video model as a stage of the workflow asks for it: by the settings that its rule passes on."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch

from lib.checkpoints import resolve_path
from lib.devices import prepare_torch
from lib.memory_modes import MemoryUse
from lib.models import load_model
from lib.models.base import VideoModel


def load_stage_model(
    settings: Mapping[str, Any],
    components: Collection[str],
    num_threads: int,
    latents_shape: Sequence[int] = (),
    training: bool = False,
) -> tuple[VideoModel, torch.device]:
    """Set torch up and load what a stage needs of the model.

    Args:
        settings: `model.name`, `model.family`, `model.device`, `model.download`; for the transformer and the
            encoders also `model.dtype`, `model.memory` and `model.weights`.
        components: see `lib.models.load_model`.
        num_threads: CPU threads granted by the scheduler.
        latents_shape: (batch, channels, latent frames, height, width) of the largest sample, where the transformer is
            loaded: memory is planned for it.
        training: whether a backward pass follows.
    """
    device, dtype = prepare_torch(settings["model.device"], settings.get("model.dtype", "float32"), num_threads)
    use = (settings.get("model.memory", "auto"), settings.get("model.weights", "native"))
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
