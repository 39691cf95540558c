"""The one training loop, for any VideoModel: fine-tune a LoRA on samples encoded beforehand."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import groupby

import torch
import torch.nn.functional as F
from torch import nn

from lib.diffusion.flow_matching import add_noise, spread_sigmas, target_velocity
from lib.execution.host_memory import send
from lib.models.base import Conditioning, Sample, VideoModel
from lib.models.experts import Expert
from lib.training.replicas import ALONE, Replica, only_here, share_gradients, sum_over_replicas
from lib.training.state import LoopState


@dataclass(frozen=True)
class Optimizer:
    """AdamW.

    Attributes:
        learning_rate: constant, or until the last steps.
        decay_share: of all steps, the last ones, over which the rate falls to 0 in a straight line.
        beta1, beta2, weight_decay: AdamW's.
        gradient_clip: largest gradient norm.
    """

    learning_rate: float
    decay_share: float
    beta1: float
    beta2: float
    weight_decay: float
    gradient_clip: float

    def rate(self, step: int, num_steps: int) -> float:
        """Return the learning rate of a step, counted from 1."""
        num_falling = self.decay_share * num_steps
        return self.learning_rate * min(1.0, (num_steps - step + 1) / num_falling if num_falling else 1.0)


@dataclass(frozen=True)
class Objective:
    """What the loss asks for.

    Attributes:
        sigma_shift: of the sigmas drawn; see `lib.diffusion.flow_matching.shift_sigmas`. 1: uniform, as in the paper.
        region_weight: of latent cells to regenerate, where those to keep weigh 1. 1: all alike, as in the paper.
    """

    sigma_shift: float
    region_weight: float


@dataclass(frozen=True)
class Spread:
    """How the samples of a step are spread over forward passes and processes.

    Attributes:
        replica: which process this is; each takes every so many of a step's batches.
        at_once: most samples of a batch; None: all of a step that have the same shape.
    """

    replica: Replica = ALONE
    at_once: int | None = None


def start_training(parameters: Sequence[nn.Parameter], optimizer: Optimizer, seed: int) -> LoopState:
    """Make the state before the first step.

    Args:
        parameters: of the LoRA; training changes them in place.
        optimizer: its settings.
        seed: of noise and sigmas, drawn on the CPU so that a seed means the same on every device.
    """
    adamw = torch.optim.AdamW(
        parameters,
        lr=optimizer.learning_rate,
        betas=(optimizer.beta1, optimizer.beta2),
        weight_decay=optimizer.weight_decay,
        fused=parameters[0].is_cuda,  # one kernel for all matrices
    )
    return LoopState(parameters, adamw, torch.Generator("cpu").manual_seed(seed))


def train(
    model: VideoModel,
    state: LoopState,
    samples: Sequence[Sample],
    schedule: Sequence[tuple[int, ...]],
    optimizer: Optimizer,
    objective: Objective,
    spread: Spread = Spread(),  # noqa: B008, frozen
) -> Iterator[tuple[int, torch.Tensor]]:
    """Fit the state's parameters by flow matching, each sample of a step at a noise level of its own.

    Nothing here waits for a GPU: a step is only asked of it when it is yielded, and the next may be asked before this
    one is done. `lib.training.loss_curve` reads losses so that the GPU never has to wait either.

    Args:
        model: with the expert to train in use, and its LoRA attached; noise levels are drawn from the expert's.
        state: fresh, or restored; its curve tells how many steps are done.
        samples: what `schedule` points into.
        schedule: the samples of each step; those of the same shape are one batch.
        optimizer, objective: their settings.
        spread: of a step's samples.

    Yields:
        Of each step its number, from 1, and its loss, on the model's device: mean squared velocity error over all
        latents of a batch, weighted; the mean over samples. NaN where the gradient is not finite.
    """
    model.transformer.train()  # gradient checkpointing is active in training mode only
    replica, expert = spread.replica, model.experts.current

    def loss_of(drawn: _Drawn) -> torch.Tensor:
        return _loss(model, drawn, objective)

    shared_loss = share_gradients(loss_of, state.parameters, replica)
    for step in range(len(state.curve) + 1, len(schedule) + 1):
        chosen = [samples[index] for index in schedule[step - 1]]
        state.adamw.param_groups[0]["lr"] = optimizer.rate(step, len(schedule))
        state.adamw.zero_grad(set_to_none=True)
        drawn_groups = [_draw(group, state.generator, objective, expert) for group in _alike(chosen)]
        most = max(1, len(chosen) // replica.count)  # so that each process has a batch
        size = min(most, spread.at_once or most, model.most_at_once or most)
        batches = [part for drawn in drawn_groups for part in _split(drawn, size)]
        own, losses = batches[replica.rank :: replica.count], []
        for number, drawn in enumerate(own, start=1):
            with nullcontext() if number == len(own) else only_here(shared_loss):
                loss = shared_loss(drawn) * (len(drawn.batch) / len(chosen))
                # Of replicas the mean is taken, of a step's samples too: each counts as one of all.
                (loss * replica.count).backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
        norm = nn.utils.clip_grad_norm_(state.parameters, optimizer.gradient_clip)
        state.adamw.step()
        loss = sum_over_replicas(torch.stack(losses).sum(), replica)
        # A gradient that is no number spoils the parameters though the loss before it is finite: it shows in the loss.
        yield step, torch.where(norm.isfinite(), loss, torch.full_like(loss, torch.nan))
    model.transformer.eval()


def _alike(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Put samples of the same shape together: placed references have a frame more than still ones."""

    def shape(sample: Sample) -> torch.Size:
        return sample.latents.shape

    return [list(group) for _, group in groupby(sorted(samples, key=shape), shape)]


@dataclass(frozen=True)
class _Drawn:
    """Samples with the noise of each and its level."""

    batch: Sequence[Sample]
    sigma: torch.Tensor
    noise: torch.Tensor


def _draw(batch: Sequence[Sample], generator: torch.Generator, objective: Objective, expert: Expert) -> _Drawn:
    """Draw noise levels, then noise, on the CPU: the same however the samples are spread."""
    _, *shape = batch[0].latents.shape
    uniform = torch.rand(len(batch), generator=generator)
    sigma = spread_sigmas(uniform, objective.sigma_shift, expert.lowest, expert.highest)
    return _Drawn(batch, sigma, torch.randn((len(batch), *shape), generator=generator))


def _split(drawn: _Drawn, size: int) -> list[_Drawn]:
    """Cut into batches of so many samples at most."""
    parts = [slice(first, first + size) for first in range(0, len(drawn.batch), size)]
    return [_Drawn(drawn.batch[part], drawn.sigma[part], drawn.noise[part]) for part in parts]


def _loss(model: VideoModel, drawn: _Drawn, objective: Objective) -> torch.Tensor:
    """Return the loss of a batch at its noise levels: the mean over its samples."""
    latents = torch.cat([sample.latents for sample in drawn.batch])
    conditioning = model.join([sample.conditioning for sample in drawn.batch])
    sigma, noise = send(drawn.sigma, latents.device), send(drawn.noise, latents.device)
    velocity = model.predict_velocity(add_noise(latents, noise, sigma), sigma, conditioning)
    target = target_velocity(latents, noise)
    return weighted_loss(velocity, target, cell_weights(model, latents, conditioning, objective.region_weight))


def cell_weights(
    model: VideoModel, latents: torch.Tensor, conditioning: Conditioning, region_weight: float
) -> torch.Tensor | None:
    """Weigh each latent, divided by their mean in the loss; None: all alike. What is not learnt weighs nothing."""
    learnt = model.learnt_cells(conditioning)
    if region_weight == 1 and learnt is None:
        return None
    cells = model.regenerated_cells(conditioning)  # (batch, 1, latent frames, height, width)
    weights = 1 + (region_weight - 1) * cells
    return (weights if learnt is None else weights * learnt).expand_as(latents)


def weighted_loss(velocity: torch.Tensor, target: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """Return the mean squared error of a velocity, weighted; 0 where nothing weighs anything."""
    if weights is None:
        return F.mse_loss(velocity, target)
    return (weights * (velocity - target).square()).sum() / weights.sum().clamp(min=1)
