"""How far a predicted velocity is from the true one: where it counts, and how much."""

import torch
import torch.nn.functional as F

from lib.models.base import Conditioning, VideoModel


def cell_weights(
    model: VideoModel, latents: torch.Tensor, conditioning: Conditioning, region_weight: float
) -> torch.Tensor | None:
    """Weigh each latent, divided by their sum in the error; None: all alike.

    Args:
        model: tells what it regenerates, and what it is given clean: that is not predicted, and weighs nothing.
        latents: (batch, channels, latent frames, height, width).
        conditioning: of the same batch.
        region_weight: of what is regenerated, where what is kept weighs 1.
    """
    known = model.known_latents(conditioning)
    if region_weight == 1 and known is None:
        return None
    cells = model.regenerated_cells(conditioning)  # (batch, 1, latent frames, height, width)
    weights = 1 + (region_weight - 1) * cells
    if known is not None:
        weights = weights * ~known.cells
    return weights.expand_as(latents)


def velocity_error(velocity: torch.Tensor, target: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """Return the mean squared error; of a batch in which nothing weighs anything, 0."""
    if weights is None:
        return F.mse_loss(velocity, target)
    return (weights * (velocity - target).square()).sum() / weights.sum().clamp(min=1)
