"""Train one LoRA from its samples to its file, resumable at any step."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lib.core.errors import InterruptionError
from lib.core.files import whole_file
from lib.core.progress import Progress
from lib.models.base import Sample, VideoModel
from lib.training.loop import Objective, Optimizer, start_training, train
from lib.training.lora import attach_lora, load_lora, save_lora
from lib.training.loss_curve import LossCurve
from lib.training.state import restore_state, state_path, state_writer, stop_signals

STEPS_BETWEEN_SAVES = 25  # of the state: what a kill -9 costs at most; two minutes of the 14B model


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
    *,
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
        training: of `lib.training.state.fingerprint`.

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
