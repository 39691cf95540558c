"""Flow matching with straight paths: noisy latents, the velocity to learn, and the Euler step.

sigma runs from 1 (pure noise) to 0 (clean). The paper writes t = 1 - sigma.
"""

import torch


def add_noise(clean_latents: torch.Tensor, noise: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Return (1 - sigma) * clean_latents + sigma * noise; sigma is (batch,)."""
    sigma = sigma.view(-1, *[1] * (clean_latents.ndim - 1))
    return (1 - sigma) * clean_latents + sigma * noise


def target_velocity(clean_latents: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Return the velocity of the straight path: noise - clean_latents (paper, equation 1)."""
    return noise - clean_latents


def shift_sigmas(sigmas: torch.Tensor, shift: float) -> torch.Tensor:
    """Move sigmas in [0, 1] towards noise, s * t / (1 + (s - 1) * t); a shift of 1 changes nothing."""
    return shift * sigmas / (1 + (shift - 1) * sigmas)


def unshift_sigma(sigma: float, shift: float) -> float:
    """Return what `shift_sigmas` makes this sigma of; 0 and 1 stay what they are, to the bit."""
    return sigma / (sigma + shift * (1 - sigma))


def spread_sigmas(uniform: torch.Tensor, shift: float, lowest: float = 0.0, highest: float = 1.0) -> torch.Tensor:
    """Turn uniform numbers in [0, 1) into shifted sigmas in [lowest, highest), as dense there as in the whole.

    Args:
        uniform: drawn.
        shift: see `shift_sigmas`.
        lowest, highest: sigma.
    """
    first, last = unshift_sigma(lowest, shift), unshift_sigma(highest, shift)
    return shift_sigmas(first + (last - first) * uniform, shift)


def sigma_schedule(num_steps: int, shift: float) -> torch.Tensor:
    """Return num_steps + 1 falling sigmas from 1 to 0, shifted towards noise."""
    return shift_sigmas(torch.linspace(1, 0, num_steps + 1, dtype=torch.float64), shift).float()


def euler_step(
    noisy_latents: torch.Tensor, velocity: torch.Tensor, sigma: torch.Tensor, next_sigma: torch.Tensor
) -> torch.Tensor:
    """Move along the velocity from one sigma to the next (a smaller one)."""
    return noisy_latents + (next_sigma - sigma) * velocity
