"""Speed and memory of the real architecture with random weights: `python -m demo.benchmark`, or `make benchmark`.

Each row is a way to run the transformer: seconds a LoRA step and a forward pass, the GPU's peak memory in each, and how
near they come to the floor that this GPU's own matrix product and attention rates set. A GPU's are measured twice: for
a moment, and for seconds on end, in which most GPUs slow down to stay within their power limit.
"""

import argparse
import gc
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch

from demo.benchmark.architectures import WAN_14B
from demo.benchmark.random_models import random_sample, random_transformer
from demo.benchmark.rates import MOMENT, ON_END, floors, measure_rates, wait_for
from demo.benchmark.tables import Row, compare_losses, show
from lib.config.sections import WeightStore
from lib.core.units import GIB
from lib.execution.block_runs import Execution
from lib.execution.devices import free_memory, prepare_torch
from lib.execution.memory_modes import Needs, choose_execution, estimate_gpu_bytes
from lib.models.base import Sample
from lib.models.experts import SOLE, Experts
from lib.models.wan.adapter import WAN21, WanModel
from lib.models.wan.loading import place_transformer
from lib.models.wan.memory import transformer_needs
from lib.models.wan.rotary import PlacedRotaryEmbedding
from lib.training.loop import Objective, Optimizer, start_training, train
from lib.training.lora import attach_lora
from lib.training.loss_curve import LossCurve

MODES = ("plain", "fast", "balanced", "low")
OPTIMIZER = Optimizer(1e-4, 0.0, 0.9, 0.99, 0.01, 1.0)
LAYERS = ("self_attention", "cross_attention", "feed_forward")
RANK = 16
TINY = {"num_attention_heads": 2, "attention_head_dim": 64, "ffn_dim": 512, "num_layers": 3, "added_kv_proj_dim": 128}


@dataclass(frozen=True)
class Work:
    """How much to run, and on what.

    Attributes:
        num_forwards, num_steps: after the first, which compiles; 0: none.
        draws: noise levels that a step or a pass sees the clip at, in one batch.
        device, dtype: of the model.
    """

    num_forwards: int
    num_steps: int
    draws: int
    device: torch.device
    dtype: torch.dtype


def measure(mode: str, weights: WeightStore, config: Mapping[str, Any], clip: tuple[int, int, int], work: Work) -> Row:
    """Build the model, run it so, and return a row of the table.

    Args:
        mode: of MODES; `plain` is diffusers' model with its own gradient checkpointing and peft, not compiled.
        weights: see `lib.execution.block_runs.Execution`.
        config: of the transformer.
        clip: frames, height and width in pixels.
        work: what to run.
    """
    device = work.device
    _forget(device)
    sample = random_sample(config, *clip, device, work.dtype)
    latents_shape = (work.draws, *sample.latents.shape[1:])
    needs = transformer_needs(config, latents_shape, work.dtype)
    execution = None if mode == "plain" else _execution(mode, weights, needs, work)
    started = time.perf_counter()
    model = _build(execution, config, device, work.dtype)
    row: Row = {"mode": mode, "weights": weights, "clip": f"{clip[0]}x{clip[2]}x{clip[1]}", "draws": work.draws}
    row |= {"saved": execution.saved if execution else "inputs", "build_s": time.perf_counter() - started}
    for name, count in (("forward", work.num_forwards), ("step", work.num_steps)):
        if count:
            _forget(device, compiled=False)
            if name == "forward":
                seconds = _forward(model, sample, count + 1, work.draws)
            else:
                seconds, row["losses"] = _train(model, sample, count + 1, work.draws, widen_inputs=mode == "plain")
            row |= {f"{name}_s": statistics.median(seconds[1:]), f"first_{name}_s": seconds[0]}
            row |= {f"{name}_{key}": value for key, value in _peaks(device).items()}
            if execution:
                row[f"{name}_expected_gib"] = estimate_gpu_bytes(execution, needs, name == "step") / GIB
    return row


def _execution(mode: str, weights: WeightStore, needs: Needs, work: Work) -> Execution:
    """Return how a mode runs the blocks, the same for steps and for forward passes."""
    training = work.num_steps > 0
    return choose_execution(mode, weights, needs, training, free_memory(work.device))[1]  # type: ignore[arg-type]


def _build(
    execution: Execution | None, config: Mapping[str, Any], device: torch.device, dtype: torch.dtype
) -> WanModel:
    streams = execution is not None and execution.stream_weights
    transformer = random_transformer(config, device, dtype, torch.device("cpu") if streams else device)
    if execution is None:
        transformer.rope = PlacedRotaryEmbedding(transformer.rope)
        transformer.enable_gradient_checkpointing()
    else:
        place_transformer(transformer, execution, device)
    return WanModel(WAN21, device, {"transformer": Experts([SOLE], lambda _: transformer)})


def _forward(model: WanModel, sample: Sample, count: int, draws: int) -> list[float]:
    """Time forward passes without a LoRA."""
    sigma, seconds = torch.full((draws,), 0.5, device=model.device), []
    latents = sample.latents.expand(draws, -1, -1, -1, -1)
    with torch.no_grad():
        for _step in range(count):
            started = time.perf_counter()
            model.predict_velocity(latents, sigma, sample.conditioning)
            wait_for(model.device)
            seconds.append(time.perf_counter() - started)
    return seconds


def _train(
    model: WanModel, sample: Sample, count: int, draws: int, widen_inputs: bool
) -> tuple[list[float], list[float]]:
    """Run steps of the product's own training loop; return the seconds and the loss of each."""
    targets = model.lora_target_modules(LAYERS)
    parameters = attach_lora(model.transformer, targets, RANK, float(RANK), 0, widen_inputs=widen_inputs)
    state, schedule = start_training(parameters, OPTIMIZER, 0), [(0,) * draws] * count
    curve = LossCurve(state.curve, schedule, lambda *_: None, model.device)
    for step, loss in train(model, state, [sample], schedule, OPTIMIZER, Objective(1.0, 1.0)):
        curve.add(step, loss)
    curve.read()
    rows = [json.loads(row) for row in state.curve]
    return [row["seconds"] for row in rows], [row["loss"] for row in rows]


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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(prog="python -m demo.benchmark", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--weights", nargs="+", choices=get_args(WeightStore), default=["native"])
    parser.add_argument("--frames", type=int, default=49)
    parser.add_argument("--size", default="832x480", help="width x height, pixels")
    parser.add_argument("--steps", type=int, default=3, help="training steps timed in each mode, after the first")
    parser.add_argument("--forwards", type=int, default=3)
    parser.add_argument("--draws", type=int, default=1, help="noise levels of a step or pass, in one batch")
    parser.add_argument("--blocks", type=int, default=WAN_14B["num_layers"], help="fewer, for a shorter look")
    parser.add_argument("--tiny", action="store_true", help="a toy of the same architecture, for a CPU")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--memory-limit", type=float, help="GiB of the GPU that may be used")
    parser.add_argument("--json", type=Path, help="where all figures go as well")
    given = parser.parse_args(arguments)
    device, dtype = prepare_torch(given.device, "auto", torch.get_num_threads())
    if given.memory_limit and device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, given.memory_limit * GIB / total))
    config = {**WAN_14B, **(TINY if given.tiny else {"num_layers": given.blocks})}
    width, height = (int(side) for side in given.size.split("x"))
    clip = (given.frames, height, width)
    tokens = (1 + (given.frames - 1) // 4) * (height // 16) * (width // 16)
    rates = measure_rates(config, tokens, device, dtype, MOMENT)
    floor = floors(config, tokens, rates, given.draws)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(f"{name}, torch {torch.__version__}, {dtype}; {tokens} tokens a clip")
    print(f"floor: {floor[1]:.3g} s/step, {floor[0]:.3g} s/forward")
    print(f"rates, TFLOP/s: {rates}", flush=True)
    facts = {"device": name, "torch": torch.__version__, "rates": vars(rates), "floor": floor}
    if device.type == "cuda":  # a CPU's rates do not fall, and it takes long over them
        held = measure_rates(config, tokens, device, dtype, ON_END)
        held_floor = floors(config, tokens, held, given.draws)
        print(f"for {ON_END:g} s on end: {held}")
        print(f"floor at these: {held_floor[1]:.3g} s/step, {held_floor[0]:.3g} s/forward", flush=True)
        facts |= {"held_rates": vars(held), "held_floor": held_floor}
    rows: list[Row] = []
    work = Work(given.forwards, given.steps, given.draws, device, dtype)
    for mode in given.modes:
        stores: list[WeightStore] = given.weights if mode != "plain" else ["native"]
        for weights in stores:
            try:
                rows.append(measure(mode, weights, config, clip, work))
                print(show(rows[-1:], floor).splitlines()[-1], flush=True)
            except torch.OutOfMemoryError as error:
                print(f"{mode}, {weights}: out of memory ({str(error).splitlines()[0]})", flush=True)
            if given.json:
                given.json.write_text(json.dumps({**facts, "rows": rows}, indent=1), encoding="utf-8")
    print(f"\n{show(rows, floor)}")
    trained = [row for row in rows if "losses" in row]
    if len(trained) > 1:
        print(f"\nlosses, same weights, LoRA and noise:\n{compare_losses(trained)}")


if __name__ == "__main__":
    main()
