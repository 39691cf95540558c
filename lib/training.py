"""The one training loop, for any VideoModel: fine-tune a LoRA on samples encoded beforehand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, cycle, groupby, islice, pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from lib.errors import InterruptionError
from lib.files import whole_file
from lib.flow_matching import add_noise, shift_sigmas, target_velocity
from lib.host_memory import send
from lib.lora import attach_lora, load_lora, save_lora
from lib.loss_curve import LossCurve
from lib.models.base import Conditioning, Sample, VideoModel
from lib.stage_log import Progress
from lib.training_state import LoopState, restore_state, state_path, state_writer, stop_signals

STEPS_BETWEEN_SAVES = 25  # of the state: what a kill -9 costs at most; two minutes of the 14B model


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


def make_schedule(
    num_steps: int,
    num_samples: tuple[int, int, int],
    copies_share: float,
    references_share: float = 0.0,
    reference_draws: int = 1,
) -> list[tuple[int, ...]]:
    """Return the samples of each step, counted through the source's windows, recoloured copies and references.

    Args:
        num_steps: of the stage.
        num_samples: windows of the source, at least one; recoloured copies; references. Those of a kind take turns.
        copies_share: of the steps that are not on references, how many are on copies; spread evenly.
        references_share: of all steps.
        reference_draws: samples of a step on references; one that comes several times has several noise levels.
    """
    ends = list(accumulate(num_samples, initial=0))
    windows, copies, references = (cycle(range(start, end)) for start, end in pairwise(ends))
    _, num_copies, num_references = num_samples
    on_reference = _spread(num_steps, references_share if num_references else 0.0)
    on_copy = iter(_spread(on_reference.count(False), copies_share if num_copies else 0.0))
    return [
        tuple(islice(references, reference_draws)) if turn else (next(copies if next(on_copy) else windows),)
        for turn in on_reference
    ]


def _spread(num_steps: int, share: float) -> list[bool]:
    """Choose a share of steps, evenly."""
    return [int((step + 1) * share) > int(step * share) for step in range(num_steps)]


@dataclass(frozen=True)
class Objective:
    """What the loss asks for.

    Attributes:
        sigma_shift: of the sigmas drawn; see `lib.flow_matching.shift_sigmas`. 1: uniform, as in the paper.
        region_weight: of latent cells to regenerate, where those to keep weigh 1. 1: all alike, as in the paper.
    """

    sigma_shift: float
    region_weight: float


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
) -> Iterator[tuple[int, torch.Tensor]]:
    """Fit the state's parameters by flow matching, each sample of a step at a noise level of its own.

    Nothing here waits for a GPU: a step is only asked of it when it is yielded, and the next may be asked before this
    one is done. `lib.loss_curve` reads losses so that the GPU never has to wait either.

    Args:
        model: with its transformer and LoRA loaded.
        state: fresh, or restored; its curve tells how many steps are done.
        samples: what `schedule` points into.
        schedule: the samples of each step; those of the same shape are one batch.
        optimizer, objective: their settings.

    Yields:
        Of each step its number, from 1, and its loss, on the model's device: mean squared velocity error over all
        latents of a batch, weighted; the mean over samples.
    """
    model.transformer.train()  # gradient checkpointing is active in training mode only
    for step in range(len(state.curve) + 1, len(schedule) + 1):
        state.adamw.param_groups[0]["lr"] = optimizer.rate(step, len(schedule))
        state.adamw.zero_grad(set_to_none=True)
        losses = []
        for batch in _batches([samples[index] for index in schedule[step - 1]]):
            loss = _draw_loss(model, batch, state.generator, objective) * (len(batch) / len(schedule[step - 1]))
            loss.backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
        nn.utils.clip_grad_norm_(state.parameters, optimizer.gradient_clip)
        state.adamw.step()
        yield step, torch.stack(losses).sum()
    model.transformer.eval()


def _batches(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Put samples of the same shape together: placed references have a frame more than still ones."""

    def shape(sample: Sample) -> torch.Size:
        return sample.latents.shape

    return [list(alike) for _, alike in groupby(sorted(samples, key=shape), shape)]


def _draw_loss(
    model: VideoModel, batch: Sequence[Sample], generator: torch.Generator, objective: Objective
) -> torch.Tensor:
    """Draw noise and its levels, and return the loss there."""
    latents = torch.cat([sample.latents for sample in batch])
    conditioning = model.join([sample.conditioning for sample in batch])
    uniform = torch.rand(len(batch), generator=generator)
    sigma = send(shift_sigmas(uniform, objective.sigma_shift), latents.device)
    noise = send(torch.randn(latents.shape, generator=generator), latents.device)
    velocity = model.predict_velocity(add_noise(latents, noise, sigma), sigma, conditioning)
    target = target_velocity(latents, noise)
    return _weighted_loss(velocity, target, _cell_weights(model, latents, conditioning, objective.region_weight))


def _cell_weights(
    model: VideoModel, latents: torch.Tensor, conditioning: Conditioning, region_weight: float
) -> torch.Tensor | None:
    """Weigh each latent, divided by their mean in the loss; None: all alike."""
    if region_weight == 1:
        return None
    cells = model.regenerated_cells(conditioning)  # (batch, 1, latent frames, height, width)
    return (1 + (region_weight - 1) * cells).expand_as(latents)


def _weighted_loss(velocity: torch.Tensor, target: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    if weights is None:
        return F.mse_loss(velocity, target)
    return (weights * (velocity - target).square()).sum() / weights.sum()


@dataclass(frozen=True)
class Adapter:
    """The LoRA's shape."""

    rank: int
    alpha: float
    layers: tuple[str, ...]


def train_lora(
    model: VideoModel,
    samples: Sequence[Sample],
    schedule: Sequence[tuple[int, ...]],
    adapter: Adapter,
    optimizer: Optimizer,
    objective: Objective,
    seed: int,
    start_from: Path | None,
    lora_path: Path,
    curve_path: Path,
    training: str,
) -> None:
    """Train one LoRA and write it with its loss curve, both whole or not at all.

    The state is kept beside `lora_path` every STEPS_BETWEEN_SAVES steps and when a signal asks to stop; the same
    training, started again, goes on from there and ends with the same bits as one that was never stopped.

    Args:
        model, samples, schedule, optimizer, objective: as in `train`.
        adapter: shape of a fresh LoRA.
        seed: of the fresh LoRA, and of `start_training`.
        start_from: the LoRA of the stage before, continued with a fresh optimizer; None: a fresh LoRA.
        lora_path: where the LoRA goes.
        curve_path: where the loss goes, one JSON object a line: step, samples, loss, seconds.
        training: of `lib.training_state.fingerprint`.

    Raises:
        InputError: the loss is no longer finite.
        InterruptionError: a signal asked for it.
    """
    if start_from is None:
        target_modules = model.lora_target_modules(adapter.layers)
        parameters = attach_lora(model.transformer, target_modules, adapter.rank, adapter.alpha, seed)
    else:
        parameters = load_lora(model.transformer, start_from, trainable=True)
    print(f"training {sum(parameter.numel() for parameter in parameters):,} LoRA parameters")
    state, kept = start_training(parameters, optimizer, seed), state_path(lora_path)
    if restore_state(kept, state, training):
        print(f"goes on after step {len(state.curve)} of {len(schedule)}, where an earlier run was stopped")
    show = Progress("step", len(schedule), len(state.curve)).show
    curve = LossCurve(state.curve, schedule, show, parameters[0].device)
    with stop_signals() as stops, state_writer(kept, training) as save:
        for step, loss in train(model, state, samples, schedule, optimizer, objective):
            curve.add(step, loss)
            last = step == len(schedule)
            if not (stops or last or step % STEPS_BETWEEN_SAVES == 0):
                continue
            curve.read()
            if stops or not last:
                save(state, bool(stops))
            if stops:
                done = f"step {step} of {len(schedule)}"
                raise InterruptionError(f"stopped by {stops[0]} after {done}; a new run goes on from there")
    with whole_file(curve_path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in state.curve), encoding="utf-8")
    save_lora(model.transformer, lora_path)
    kept.unlink(missing_ok=True)
