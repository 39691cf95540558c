"""Noise, velocity, schedule and Euler step agree with one another."""

import torch

from lib.diffusion.flow_matching import add_noise, euler_step, sigma_schedule, target_velocity


def test_ends_of_the_path() -> None:
    """sigma 0 is clean, sigma 1 is noise."""
    clean, noise = torch.randn(2, 4, 3, 2, 2), torch.randn(2, 4, 3, 2, 2)
    assert torch.equal(add_noise(clean, noise, torch.tensor([0.0, 0.0])), clean)
    assert torch.equal(add_noise(clean, noise, torch.tensor([1.0, 1.0])), noise)


def test_the_true_velocity_leads_from_noise_to_clean() -> None:
    """Euler steps along noise - clean end at the clean latents, whatever the schedule."""
    clean, noise = torch.randn(1, 4, 3, 2, 2), torch.randn(1, 4, 3, 2, 2)
    sigmas = sigma_schedule(num_steps=7, shift=5.0)
    latents = noise
    for sigma, next_sigma in zip(sigmas[:-1], sigmas[1:], strict=True):
        latents = euler_step(latents, target_velocity(clean, noise), sigma, next_sigma)
    assert torch.allclose(latents, clean, atol=1e-5)


def test_schedule_falls_from_one_to_zero_and_is_shifted_to_noise() -> None:
    """Shift 1 is even; shift 5 puts the middle at 5/6 (5 * 0.5 / (1 + 4 * 0.5))."""
    assert torch.allclose(sigma_schedule(4, 1.0), torch.tensor([1.0, 0.75, 0.5, 0.25, 0.0]))
    shifted = sigma_schedule(4, 5.0)
    assert shifted[0] == 1 and shifted[-1] == 0 and (shifted.diff() < 0).all()
    assert torch.isclose(shifted[2], torch.tensor(5 / 6))
