"""The one training loop, for any VideoModel: fine-tune a LoRA on samples encoded beforehand."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from lib.errors import InputError, Problem
from lib.files import whole_file
from lib.flow_matching import add_noise, shift_sigmas, target_velocity
from lib.lora import attach_lora, load_lora, save_lora
from lib.models.base import Sample, VideoModel
from lib.stage_log import Progress


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
    num_steps: int, num_copies: int, copies_share: float, num_references: int = 0, references_share: float = 0.0
) -> list[int]:
    """Return the sample of each step: 0 is the source clip, then come its recoloured copies, then references.

    Args:
        num_steps: of the stage.
        num_copies: recoloured copies; they take turns, and so do references. May be 0.
        copies_share: of the steps that are not on references, how many are on copies; spread evenly.
        num_references: only stage `appearance` has any.
        references_share: of all steps.
    """
    copies, references = cycle(range(1, 1 + num_copies)), cycle(range(1 + num_copies, 1 + num_copies + num_references))
    on_reference = _spread(num_steps, references_share if num_references else 0.0)
    on_copy = iter(_spread(on_reference.count(False), copies_share if num_copies else 0.0))
    return [next(references) if turn else next(copies) if next(on_copy) else 0 for turn in on_reference]


def _spread(num_steps: int, share: float) -> list[bool]:
    """Choose a share of steps, evenly."""
    return [int((step + 1) * share) > int(step * share) for step in range(num_steps)]


def train(
    model: VideoModel,
    parameters: Sequence[nn.Parameter],
    samples: Sequence[Sample],
    schedule: Sequence[int],
    optimizer: Optimizer,
    sigma_shift: float,
    seed: int,
    on_step: Callable[[int, float, float], None],
) -> None:
    """Fit the parameters by flow matching, one sample a step.

    Args:
        model: with its transformer and LoRA loaded.
        parameters: of the LoRA; changed in place.
        samples: what `schedule` points into.
        schedule: the sample of each step.
        optimizer: its settings.
        sigma_shift: of the sigmas drawn; see `lib.flow_matching.shift_sigmas`. 1: uniform, as in the paper.
        seed: of noise and sigmas, drawn on the CPU so that a seed means the same on every device.
        on_step: called with steps done, the loss (mean squared velocity error over all latents) and
            the seconds the step took.

    Raises:
        InputError: the loss is no longer finite.
    """
    generator = torch.Generator("cpu").manual_seed(seed)
    adamw = torch.optim.AdamW(
        parameters,
        lr=optimizer.learning_rate,
        betas=(optimizer.beta1, optimizer.beta2),
        weight_decay=optimizer.weight_decay,
    )
    model.transformer.train()  # gradient checkpointing is active in training mode only
    for step, index in enumerate(schedule, start=1):
        started = time.perf_counter()
        adamw.param_groups[0]["lr"] = optimizer.rate(step, len(schedule))
        clean_latents = samples[index].latents
        sigma = shift_sigmas(torch.rand(1, generator=generator), sigma_shift).to(clean_latents.device)
        noise = torch.randn(clean_latents.shape, generator=generator).to(clean_latents.device)
        noisy_latents = add_noise(clean_latents, noise, sigma)
        velocity = model.predict_velocity(noisy_latents, sigma, samples[index].conditioning)
        loss = F.mse_loss(velocity, target_velocity(clean_latents, noise))
        adamw.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, optimizer.gradient_clip)
        adamw.step()
        value = loss.item()
        if not torch.isfinite(loss):
            raise InputError([Problem("training.learning_rate", f"a loss of {value} at step {step}", "a smaller rate")])
        on_step(step, value, time.perf_counter() - started)
    model.transformer.eval()


@dataclass(frozen=True)
class Adapter:
    """The LoRA's shape."""

    rank: int
    alpha: float
    feed_forward: bool


def train_lora(
    model: VideoModel,
    samples: Sequence[Sample],
    schedule: Sequence[int],
    adapter: Adapter,
    optimizer: Optimizer,
    sigma_shift: float,
    seed: int,
    start_from: Path | None,
    lora_path: Path,
    curve_path: Path,
) -> None:
    """Train one LoRA and write it with its loss curve, both whole or not at all.

    Args:
        model, samples, schedule, optimizer, sigma_shift, seed: as in `train`.
        adapter: shape of a fresh LoRA.
        start_from: the LoRA of the stage before, continued with a fresh optimizer; None: a fresh LoRA.
        lora_path: where the LoRA goes.
        curve_path: where the loss goes, one JSON object a line: step, sample, loss, seconds.
    """
    if start_from is None:
        target_modules = model.lora_target_modules(adapter.feed_forward)
        parameters = attach_lora(model.transformer, target_modules, adapter.rank, adapter.alpha, seed)
    else:
        parameters = load_lora(model.transformer, start_from, trainable=True)
    print(f"training {sum(parameter.numel() for parameter in parameters):,} LoRA parameters")
    progress = Progress("step", len(schedule))
    with whole_file(curve_path) as temporary, temporary.open("w", encoding="utf-8") as curve:

        def record(step: int, loss: float, seconds: float) -> None:
            row = {"step": step, "sample": schedule[step - 1], "loss": loss, "seconds": round(seconds, 4)}
            curve.write(json.dumps(row) + "\n")
            curve.flush()
            progress.show(step, loss)

        train(model, parameters, samples, schedule, optimizer, sigma_shift, seed, record)
    save_lora(model.transformer, lora_path)
