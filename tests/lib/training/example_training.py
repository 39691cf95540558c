"""Settings and samples of a short training of the tiny model."""

from pathlib import Path
from typing import Any

import torch

from lib.models.base import Sample, VideoModel
from lib.training.fine_tuning import Adapter
from lib.training.loop import Objective, Optimizer

OPTIMIZER = Optimizer(learning_rate=2e-3, decay_share=0.0, beta1=0.9, beta2=0.99, weight_decay=0.01, gradient_clip=1.0)
LAYERS = ("self_attention", "cross_attention", "feed_forward")
ADAPTER = Adapter(rank=8, alpha=8.0, layers=LAYERS)
OBJECTIVE = Objective(sigma_shift=1.0, region_weight=1.0)
TRAINING = "a fingerprint"


def sample_of(model: VideoModel, seed: int) -> Sample:
    """Draw a small sample that the model takes."""
    generator = torch.Generator().manual_seed(seed)
    config = model.transformer.config
    latents = torch.randn(1, 16, 3, 8, 8, generator=generator)
    conditioning = {
        "prompt_embeds": torch.randn(1, 6, config.text_dim, generator=generator),
        "image_embeds": torch.randn(1, 5, config.image_dim, generator=generator),
        "packed_mask": torch.ones(1, 4, 3, 8, 8),
        "condition_latents": latents.clone(),
    }
    return Sample(latents, conditioning)


def files_of(lora: Path, curve: Path, start_from: Path | None = None, training: str = TRAINING) -> dict[str, Any]:
    """What a training is told beside its model and samples."""
    return {"seed": 7, "start_from": start_from, "lora_path": lora, "curve_path": curve, "training": training}
