"""Train one LoRA from its samples to its file, resumable at any step."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lib.config.training_sections import TrainedExperts
from lib.core.errors import InterruptionError
from lib.core.files import whole_file
from lib.core.progress import Progress
from lib.models.base import Sample, VideoModel
from lib.models.experts import Expert, choose_experts
from lib.training.held_out import HeldOut
from lib.training.loop import Objective, Optimizer, Spread, start_training, train
from lib.training.lora import LoraPart, attach_lora, load_lora, save_parts, take_lora
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
    experts: TrainedExperts = "all",
    originals: Mapping[str, str] | None = None,
) -> None:
    """Train one LoRA and write it with its loss curve, both whole or not at all.

    The state is kept beside `lora_path` every STEPS_BETWEEN_SAVES steps and when a signal asks to stop; the same
    training, started again, goes on from there and ends with the same bits as one that was never stopped.

    Of a model with several experts each is trained in turn, all steps of the schedule at noise levels of its own.

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
        facts: of `save_parts`.
        experts: which of them get a LoRA.
        originals: of `load_lora`.

    Raises:
        InputError: the loss is no longer finite.
        InterruptionError: a signal asked for it.
    """
    parts: list[LoraPart] = []
    rows: list[str] = []
    chosen = choose_experts(model.experts.all, experts)
    with stop_signals() as stops:
        for number, expert in enumerate(chosen):
            model.experts.use(expert)
            kept = state_path(lora_path, expert.name if number else "")
            work = _Work(expert, number + 1, len(chosen), kept, seed, start_from, originals, training)
            curve = _train_expert(
                model, work, samples, schedule, adapter, optimizer, objective, spread, held_out, stops
            )
            rows += work.told_apart(curve, len(rows))
            if spread.replica.is_first:
                parts.append(take_lora(model.transformer, expert.name))
    if spread.replica.is_first:
        with whole_file(curve_path) as temporary:
            temporary.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
        save_parts(parts, lora_path, facts)
        for number, expert in enumerate(model.experts.all):  # an earlier run may have trained more of them
            state_path(lora_path, expert.name if number else "").unlink(missing_ok=True)


@dataclass(frozen=True)
class _Work:
    """One expert's turn in a training.

    Attributes:
        expert: in use.
        number, count: its place among those that are trained, from 1, and how many these are.
        kept: where the state of its training is; it stays until the last one is done.
        seed, start_from, originals, training: see `train_lora`.
    """

    expert: Expert
    number: int
    count: int
    kept: Path
    seed: int
    start_from: Path | None
    originals: Mapping[str, str] | None
    training: str

    @property
    def is_last(self) -> bool:
        """Whether no expert comes after it."""
        return self.number == self.count

    @property
    def title(self) -> str:
        """What progress is said of."""
        return "step" if self.count == 1 else f"{self.expert.name}, step"

    def told_apart(self, curve: Sequence[str], num_before: int) -> list[str]:
        """Return rows of a loss curve, which of several experts say whose they are and go on counting."""
        if self.count == 1:
            return list(curve)
        rows = [json.loads(line) for line in curve]
        return [json.dumps({**row, "step": row["step"] + num_before, "expert": self.expert.name}) for row in rows]


def _train_expert(
    model: VideoModel,
    work: _Work,
    samples: Sequence[Sample],
    schedule: Sequence[tuple[int, ...]],
    adapter: Adapter,
    optimizer: Optimizer,
    objective: Objective,
    spread: Spread,
    held_out: HeldOut | None,
    stops: Sequence[str],
) -> list[str]:
    """Train the expert in use; return its loss curve. Of a state that is kept, only what lacks is trained."""
    layers = model.lora_target_modules(adapter.layers)
    if work.start_from is None:
        parameters = attach_lora(model.transformer, layers, adapter.rank, adapter.alpha, work.seed)
    else:
        print(f"starts from {work.start_from}")
        parameters = load_lora(
            model.transformer, work.start_from, trainable=layers, part=work.expert.name, originals=work.originals
        )
    replica, device = spread.replica, parameters[0].device
    if replica.is_first:
        print(f"training {sum(parameter.numel() for parameter in parameters):,} LoRA parameters")
    state = start_training(parameters, optimizer, work.seed)
    if restore_state(work.kept, state, work.training) and replica.is_first:
        print(f"goes on after step {len(state.curve)} of {len(schedule)}, where an earlier run was stopped")
    show = Progress(work.title, len(schedule), len(state.curve)).show if replica.is_first else _say_nothing
    curve = LossCurve(state.curve, schedule, show, device)
    with state_writer(work.kept, work.training) as save:
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
            if replica.is_first and (told or not last or not work.is_last):
                save(state, told)
            if told:
                done = f"step {step} of {len(schedule)}"
                by = stops[0] if stops else "another process of this training"
                raise InterruptionError(f"stopped by {by} after {done}; a new run goes on from there")
    return state.curve


def _say_nothing(step: int, loss: float) -> None:
    """Be one of several processes of which one shows progress."""
