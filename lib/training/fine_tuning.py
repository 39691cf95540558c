"""Train one LoRA from its samples to its file, resumable at any step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lib.core.errors import InterruptionError
from lib.core.files import whole_file
from lib.core.progress import Progress
from lib.models.base import Sample, VideoModel
from lib.training.held_out import HeldOut
from lib.training.loop import Objective, Optimizer, Spread, start_training, train
from lib.training.lora import attach_lora, load_lora, save_lora
from lib.training.loss_curve import LossCurve
from lib.training.replicas import any_replica
from lib.training.state import restore_state, state_path, state_writer, stop_signals

STEPS_BETWEEN_SAVES = 25  # of the state: what a kill -9 costs at most; two minutes of the 14B model


@dataclass(frozen=True)
class Adapter:
    """The LoRA's shape.

    Attributes:
        rank, alpha: of a fresh one.
        layers: kinds that it adapts; of one that is continued, those that are trained.
    """

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
    *,
    seed: int,
    start_from: Path | None,
    lora_path: Path,
    curve_path: Path,
    training: str,
    spread: Spread = Spread(),  # noqa: B008, frozen
    held_out: HeldOut | None = None,
    facts: Mapping[str, str] | None = None,
) -> None:
    """Train one LoRA and write it with its loss curve, both whole or not at all.

    The state is kept beside `lora_path` every STEPS_BETWEEN_SAVES steps and when a signal asks to stop; the same
    training, started again, goes on from there and ends with the same bits as one that was never stopped.

    Args:
        model, samples, schedule, optimizer, objective: as in `train`.
        adapter: the LoRA's shape.
        seed: of the fresh LoRA, and of `start_training`.
        start_from: the LoRA of the stage before, continued with a fresh optimizer; None: a fresh LoRA.
        lora_path: where the LoRA goes.
        curve_path: where the loss goes, one JSON object a line: step, samples, loss, seconds.
        training: of `lib.training.state.fingerprint`.
        spread: of a step's samples; of several processes the first one writes files, and all stop at the same step.
        held_out: samples on which the loss is measured on the way: lines of the curve with `held_out`.
        facts: of `save_lora`.

    Raises:
        InputError: the loss is no longer finite.
        InterruptionError: a signal asked for it.
    """
    if start_from is None:
        target_modules = model.lora_target_modules(adapter.layers)
        parameters = attach_lora(model.transformer, target_modules, adapter.rank, adapter.alpha, seed)
    else:
        print(f"starts from {start_from}")
        parameters = load_lora(model.transformer, start_from, trainable=model.lora_target_modules(adapter.layers))
    replica, device = spread.replica, parameters[0].device
    if replica.is_first:
        print(f"training {sum(parameter.numel() for parameter in parameters):,} LoRA parameters")
    state, kept = start_training(parameters, optimizer, seed), state_path(lora_path)
    if restore_state(kept, state, training) and replica.is_first:
        print(f"goes on after step {len(state.curve)} of {len(schedule)}, where an earlier run was stopped")
    show = Progress("step", len(schedule), len(state.curve)).show if replica.is_first else _say_nothing
    curve = LossCurve(state.curve, schedule, show, device)
    with stop_signals() as stops, state_writer(kept, training) as save:
        for step, loss in train(model, state, samples, schedule, optimizer, objective, spread):
            curve.add(step, loss)
            last = step == len(schedule)
            if held_out and held_out.is_due(step, len(schedule)):
                curve.read()
                curve.note(held_out.measure(model))
            told = any_replica(bool(stops), device, replica)
            if not (told or last or step % STEPS_BETWEEN_SAVES == 0):
                continue
            curve.read()
            if replica.is_first and (told or not last):
                save(state, told)
            if told:
                done = f"step {step} of {len(schedule)}"
                by = stops[0] if stops else "another process of this training"
                raise InterruptionError(f"stopped by {by} after {done}; a new run goes on from there")
    if replica.is_first:
        with whole_file(curve_path) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in state.curve), encoding="utf-8")
        save_lora(model.transformer, lora_path, facts)
        kept.unlink(missing_ok=True)


def _say_nothing(step: int, loss: float) -> None:
    """Be one of several processes of which one shows progress."""
