"""The loss on samples that a training does not see: whether what it learns is of use beyond its own clips."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lib.diffusion.flow_matching import add_noise, target_velocity
from lib.models.base import Sample, VideoModel
from lib.training.loop import cell_weights, weighted_loss

LEVELS = (0.25, 0.5, 0.75)  # of the way through the expert's range of sigma, the same each time
TIMES = 10  # that it is measured in a training, the first and the last step among them


@dataclass(frozen=True)
class HeldOut:
    """Samples to measure, always with the same noise.

    Attributes:
        samples: each measured by itself.
        seed: of the noise.
    """

    samples: Sequence[Sample]
    seed: int

    def is_due(self, step: int, num_steps: int) -> bool:
        """Tell whether to measure after a step, counted from 1."""
        return bool(self.samples) and (step in (1, num_steps) or step % max(1, num_steps // TIMES) == 0)

    @torch.no_grad()
    def measure(self, model: VideoModel) -> float:
        """Return the mean squared velocity error of the expert in use over samples and noise levels."""
        generator, errors, expert = torch.Generator("cpu").manual_seed(self.seed), [], model.experts.current
        model.transformer.eval()
        for sample in self.samples:
            noise = torch.randn(sample.latents.shape, generator=generator).to(sample.latents.device)
            target = target_velocity(sample.latents, noise)
            for level in LEVELS:
                level = expert.lowest + (expert.highest - expert.lowest) * level
                sigma = torch.full((1,), level, device=sample.latents.device)
                velocity = model.predict_velocity(add_noise(sample.latents, noise, sigma), sigma, sample.conditioning)
                weights = cell_weights(model, sample.latents, sample.conditioning, region_weight=1)
                errors.append(weighted_loss(velocity, target, weights))
        model.transformer.train()
        return float(torch.stack(errors).mean())
