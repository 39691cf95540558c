"""Speed and memory of real architectures with random weights: `python -m demo.benchmark`, or `make benchmark`.

Each row is a way to run a family's transformer: seconds a LoRA step and a forward pass, the GPU's peak memory in each
beside the estimate that modes are chosen by, and how near they come to the floor that this GPU's own matrix product and
attention rates set. A GPU's are measured twice: for a moment, and for seconds on end, in which most GPUs slow down to
stay within their power limit. Rows are printed as they come; of each family also which mode a card gets.
"""

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import torch

from demo.benchmark.random_models import PACKED, pack_randomly, random_transformer
from demo.benchmark.rates import MOMENT, ON_END, floors, measure_rates, wait_for
from demo.benchmark.subjects import SUBJECTS, TINY_WAN, Clip, Subject, describe
from demo.benchmark.tables import CARDS_HEAD, HEAD, Row, compare_losses, show, show_cards
from lib.config.sections import WeightStore
from lib.core.units import GIB
from lib.execution.block_runs import Execution
from lib.execution.devices import free_memory, prepare_torch
from lib.execution.memory_modes import Needs, choose_execution, estimate_gpu_bytes
from lib.models.base import Sample, VideoModel
from lib.models.wan.rotary import PlacedRotaryEmbedding
from lib.training.loop import Objective, Optimizer, start_training, train
from lib.training.lora import attach_lora
from lib.training.loss_curve import LossCurve

MODES = ("plain", "fast", "balanced", "low")
Save = Callable[[Mapping[str, Any], Sequence[Row]], None]
OPTIMIZER = Optimizer(1e-4, 0.0, 0.9, 0.99, 0.01, 1.0)
LAYERS = ("self_attention", "cross_attention", "feed_forward")
RANK = 16
TINY = TINY_WAN
TINY_CLIP = (5, 64, 64)
DEPTHS = ("num_layers", "num_single_layers")  # numbers of blocks in a config


@dataclass(frozen=True)
class Work:
    """How much to run, and on what.

    Attributes:
        num_forwards, num_steps: after the first, which compiles; 0: none.
        max_seconds: that passes, and that steps, of one row may take; then none begins but the one after the first.
        draws: noise levels that a step or a pass sees the clip at, in one batch.
        device, dtype: of the model.
    """

    num_forwards: int
    num_steps: int
    max_seconds: float
    draws: int
    device: torch.device
    dtype: torch.dtype


def measure(mode: str, weights: WeightStore, subject: Subject, clip: Clip, work: Work) -> Row:
    """Build the model, run it so, and return a row of the table.

    Args:
        mode: of MODES; `plain` is diffusers' model with its own gradient checkpointing and peft, not compiled.
        weights: see `lib.execution.block_runs.Execution`.
        subject: what is run.
        clip: of it.
        work: what to run.
    """
    device = work.device
    _forget(device)
    sample = subject.sample(subject.config, clip, device, work.dtype)
    needs = subject.plan(clip, work.draws, work.dtype, weights)
    execution = None if mode == "plain" else _execution(mode, weights, needs, work)
    started = time.perf_counter()
    model = _build(execution, subject, device, work.dtype)
    row: Row = {"mode": mode, "weights": weights, "clip": f"{clip[0]}x{clip[2]}x{clip[1]}", "draws": work.draws}
    row |= {"saved": execution.saved if execution else "inputs", "build_s": time.perf_counter() - started}
    for name, count in (("forward", work.num_forwards), ("step", work.num_steps)):
        if count:
            _forget(device, compiled=False)
            if name == "forward":
                seconds = _forward(model, sample, work)
            else:
                seconds, row["losses"] = _train(model, sample, work, widen_inputs=mode == "plain")
            row |= {f"{name}_s": statistics.median(seconds[1:]), f"first_{name}_s": seconds[0]}
            row |= {f"{name}_{key}": value for key, value in _peaks(device).items()}
            if execution:
                row[f"{name}_expected_gib"] = estimate_gpu_bytes(execution, needs, name == "step") / GIB
    return row


def _execution(mode: str, weights: WeightStore, needs: Needs, work: Work) -> Execution:
    """Return how a mode runs the blocks, the same for steps and for forward passes."""
    training = work.num_steps > 0
    return choose_execution(mode, weights, needs, training, free_memory(work.device))[1]  # type: ignore[arg-type]


def _build(execution: Execution | None, subject: Subject, device: torch.device, dtype: torch.dtype) -> VideoModel:
    streams = execution is not None and execution.stream_weights
    home = torch.device("cpu") if streams else device
    transformer = random_transformer(subject.config, device, dtype, home, kind=subject.kind)
    if execution is not None and execution.weights == "gguf":
        for block in transformer.blocks:
            pack_randomly(block)
    if execution is None:
        transformer.rope = PlacedRotaryEmbedding(transformer.rope)
        transformer.to(device).enable_gradient_checkpointing()
        return subject.model(transformer, device, {})
    return subject.model(subject.place(transformer, execution, device), device, describe(execution))


def _forward(model: VideoModel, sample: Sample, work: Work) -> list[float]:
    """Time forward passes without a LoRA."""
    sigma, seconds = torch.full((work.draws,), 0.5, device=model.device), []
    latents, begun = sample.latents.expand(work.draws, -1, -1, -1, -1), time.perf_counter()
    with torch.no_grad():
        while len(seconds) <= work.num_forwards and (len(seconds) < 2 or _has_time(begun, work)):
            started = time.perf_counter()
            model.predict_velocity(latents, sigma, sample.conditioning)
            wait_for(model.device)
            seconds.append(time.perf_counter() - started)
    return seconds


def _train(model: VideoModel, sample: Sample, work: Work, widen_inputs: bool) -> tuple[list[float], list[float]]:
    """Run steps of the product's own training loop; return the seconds and the loss of each."""
    targets = model.lora_target_modules(LAYERS)
    parameters = attach_lora(model.transformer, targets, RANK, float(RANK), 0, widen_inputs=widen_inputs)
    state, schedule = start_training(parameters, OPTIMIZER, 0), [(0,) * work.draws] * (work.num_steps + 1)
    curve, begun = LossCurve(state.curve, schedule, lambda *_: None, model.device), time.perf_counter()
    for step, loss in train(model, state, [sample], schedule, OPTIMIZER, Objective(1.0, 1.0)):
        curve.add(step, loss)
        if step > 1 and not _has_time(begun, work):
            break
    curve.read()
    rows = [json.loads(row) for row in state.curve]
    return [row["seconds"] for row in rows], [row["loss"] for row in rows]


def _has_time(begun: float, work: Work) -> bool:
    return time.perf_counter() - begun < work.max_seconds


def _forget(device: torch.device, compiled: bool = True) -> None:
    """Let go of unused memory, and of what was compiled for another model."""
    if compiled:
        torch._dynamo.reset()
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def _peaks(device: torch.device) -> dict[str, float]:
    """Return the most memory in use, and taken from the GPU, since the last `_forget`; nothing for a CPU."""
    if device.type != "cuda":
        return {}
    return {
        "peak_gib": torch.cuda.max_memory_allocated(device) / GIB,
        "reserved_gib": torch.cuda.max_memory_reserved(device) / GIB,
    }


def measure_family(
    subject: Subject, modes: Sequence[str], stores: Sequence[WeightStore], clip: Clip, work: Work, save: Save
) -> None:
    """Measure a family's denoiser and print its tables, each line as it comes.

    Args:
        subject: what is run.
        modes: of MODES.
        stores: of the weights; `plain` has native ones alone.
        clip: of it.
        work: what to run.
        save: called with what is known of the subject and its rows so far, after each row.
    """
    tokens, size = subject.count_tokens(clip), subject.size(subject.config)
    rates = measure_rates(size, tokens, work.device, work.dtype, MOMENT)
    floor = floors(size, tokens, rates, work.draws)
    print(f"{subject.title}: {clip[0]} frames of {clip[2]}x{clip[1]}, {tokens} tokens")
    print(f"floor: {floor[1]:.3g} s/step, {floor[0]:.3g} s/forward")
    print(f"rates, TFLOP/s: {rates}", flush=True)
    facts = {"rates": vars(rates), "floor": floor}
    if work.device.type == "cuda":  # a CPU's rates do not fall, and it takes long over them
        held = measure_rates(size, tokens, work.device, work.dtype, ON_END)
        held_floor = floors(size, tokens, held, work.draws)
        print(f"for {ON_END:g} s on end: {held}")
        print(f"floor at these: {held_floor[1]:.3g} s/step, {held_floor[0]:.3g} s/forward", flush=True)
        facts |= {"held_rates": vars(held), "held_floor": held_floor}
    rows: list[Row] = []
    print(f"\n{HEAD}", flush=True)
    for mode in modes:
        for weights in stores if mode != "plain" else ["native"]:
            try:
                rows.append(measure(mode, weights, subject, clip, work))  # type: ignore[arg-type]
                print(show(rows[-1:], floor), flush=True)
            except torch.OutOfMemoryError as error:
                print(f"{mode}, {weights}: out of memory ({str(error).splitlines()[0]})", flush=True)
            save(facts, rows)
    trained = [row for row in rows if "losses" in row]
    if len(trained) > 1:
        print(f"\nlosses, same weights, LoRA and noise:\n{compare_losses(trained)}", flush=True)
    for weights in stores:
        print(f"\nwhich mode a card gets, {weights} weights, estimated:\n{CARDS_HEAD}")
        print(show_cards(subject.plan(clip, work.draws, torch.bfloat16, weights), weights) + "\n", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(prog="python -m demo.benchmark", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--family", nargs="+", choices=[*SUBJECTS, "all"], default=["wan"], metavar="NAME")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES), help="plain is for Wan alone")
    stores = get_args(WeightStore)
    parser.add_argument("--weights", nargs="+", choices=stores, default=["native"], help=f"gguf: {PACKED}, of Wan")
    parser.add_argument("--frames", type=int, help="by default as the family's preset has them")
    parser.add_argument("--size", help="width x height, pixels; by default as the family's preset has them")
    parser.add_argument("--steps", type=int, default=3, help="training steps timed in each mode, after the first")
    parser.add_argument("--forwards", type=int, default=3)
    parser.add_argument("--row-seconds", type=float, default=60, help="after which no further step or pass begins")
    parser.add_argument("--draws", type=int, default=1, help="noise levels of a step or pass, in one batch")
    parser.add_argument("--blocks", type=int, help="of each kind; fewer, for a shorter look")
    parser.add_argument("--tiny", action="store_true", help="a toy of the same architecture, for a CPU")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--memory-limit", type=float, help="GiB of the GPU that may be used")
    parser.add_argument("--json", type=Path, help="where all figures go as well")
    given = parser.parse_args(arguments)
    device, dtype = prepare_torch(given.device, "auto", torch.get_num_threads())
    if given.memory_limit and device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, given.memory_limit * GIB / total))
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(f"{name}, torch {torch.__version__}, {dtype}", flush=True)
    work = Work(given.forwards, given.steps, given.row_seconds, given.draws, device, dtype)
    written: dict[str, Any] = {"device": name, "torch": torch.__version__, "families": {}}
    for family in SUBJECTS if "all" in given.family else given.family:
        subject, clip = _chosen(SUBJECTS[family], given)

        def save(facts: Mapping[str, Any], rows: Sequence[Row], family: str = family) -> None:
            written["families"][family] = {**facts, "rows": list(rows)}
            if given.json:
                given.json.write_text(json.dumps(written, indent=1), encoding="utf-8")

        modes = [mode for mode in given.modes if mode != "plain" or subject.has_plain]
        stores = [store for store in given.weights if store != "gguf" or subject.family.file_shapes]
        measure_family(subject, modes, stores, clip, work, save)


def _chosen(subject: Subject, given: argparse.Namespace) -> tuple[Subject, Clip]:
    """Return the subject in the size that the command line asks for, and the clip."""
    depths = {key: given.blocks for key in DEPTHS if given.blocks and key in subject.config}
    frames, height, width = TINY_CLIP if given.tiny else subject.clip
    if given.size:
        width, height = (int(side) for side in given.size.split("x"))
    config = {**subject.config, **(subject.tiny if given.tiny else {}), **depths}
    return replace(subject, config=config), (given.frames or frames, height, width)


if __name__ == "__main__":
    main()
