"""The video model as a stage of the workflow asks for it: by the settings that its rule passes on."""

from collections.abc import Collection, Mapping
from typing import Any

import torch

from lib.checkpoints import resolve_path
from lib.devices import prepare_torch
from lib.models import load_model
from lib.models.base import VideoModel


def load_stage_model(
    settings: Mapping[str, Any], components: Collection[str], num_threads: int
) -> tuple[VideoModel, torch.device]:
    """Set torch up and load what a stage needs of the model.

    Args:
        settings: `model.name`, `model.family`, `model.device`, `model.download`; for the transformer and the
            encoders also `model.dtype`, and for training `model.gradient_checkpointing`.
        components: see `lib.models.load_model`.
        num_threads: CPU threads granted by the scheduler.
    """
    device, dtype = prepare_torch(settings["model.device"], settings.get("model.dtype", "float32"), num_threads)
    model = load_model(
        resolve_path(settings["model.name"]),
        components,
        family=settings["model.family"],
        device=device,
        dtype=dtype,
        gradient_checkpointing=settings.get("model.gradient_checkpointing", False),
        download=settings["model.download"],
    )
    print(f"{settings['model.name']}: {', '.join(sorted(components))} on {device}, {dtype}")
    return model, device
