"""The one denoising loop, for any VideoModel."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch

from lib.diffusion.flow_matching import add_noise, euler_step
from lib.models.base import Conditioning, VideoModel


def draw_noise(shape: Sequence[int], seed: int, device: torch.device) -> torch.Tensor:
    """Draw the initial latents; on the CPU, so that a seed means the same on every device."""
    return torch.randn(tuple(shape), generator=torch.Generator("cpu").manual_seed(seed)).to(device)


@dataclass(frozen=True)
class Lock:
    """Latents that are known from the start.

    Attributes:
        latents: clean, (1, channels, latent frames, height, width).
        kept: where they hold, (1, 1, latent frames, height, width) bool.
    """

    latents: torch.Tensor
    kept: torch.Tensor


@torch.no_grad()
def denoise(
    model: VideoModel,
    noise: torch.Tensor,
    sigmas: torch.Tensor,
    conditioning: Conditioning,
    negative: Conditioning,
    guidance: float,
    on_step: Callable[[int], None],
    lock: Lock | None = None,
) -> torch.Tensor:
    """Walk from noise to clean latents with Euler steps and classifier-free guidance.

    Args:
        model: with its experts, and the LoRA if any, loaded.
        noise: (1, channels, latent frames, height, width) float32, in units of the first sigma.
        sigmas: falling, one more than there are steps; see `lib.diffusion.flow_matching.sigma_schedule`.
        conditioning: of the edited first frame and the prompt.
        negative: what guidance replaces in it (the negative prompt); unused when guidance is 1.
        guidance: scale; 1 switches it off and halves the work.
        on_step: called with the number of steps asked of the device; a GPU may be a pass behind.
        lock: what is put back after each step, noised with the same noise to that step's sigma (as in RePaint,
            Lugmayr et al. 2022, equation 8, for straight paths); None: nothing.

    Returns:
        Clean latents, float32, of the shape of `noise`.
    """
    latents = model.start_latents(noise, conditioning)
    levels = sigmas.tolist()
    sigmas = sigmas.to(noise.device)  # once: a copy in each step would make host and GPU wait for each other
    unguided = {**conditioning, **negative}
    for step, (sigma, next_sigma) in enumerate(pairwise(sigmas), start=1):
        model.experts.use_at(levels[step - 1])  # of several, another takes over once
        velocity = guided_velocity(model, latents, sigma.view(1), conditioning, unguided, guidance)
        latents = euler_step(latents, velocity, sigma, next_sigma)
        if lock is not None:
            known = add_noise(lock.latents, noise, next_sigma.view(1))
            latents = torch.where(lock.kept, known, latents)
        on_step(step)
    return latents


def guided_velocity(
    model: VideoModel,
    latents: torch.Tensor,
    sigma: torch.Tensor,
    conditioning: Conditioning,
    unguided: Conditioning,
    guidance: float,
) -> torch.Tensor:
    """Predict the velocity of noisy latents at sigma (1,), away from what the model says without the prompt."""
    velocity = model.predict_velocity(latents, sigma, conditioning)
    if guidance <= 1:
        return velocity
    velocity_unguided = model.predict_velocity(latents, sigma, unguided, guided=False)
    return velocity_unguided + guidance * (velocity - velocity_unguided)
