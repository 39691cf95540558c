"""Seconds of a step of the shared LoRA's training, by size of clip, samples at once and number of GPUs.

    python -m demo.benchmark.shared_step                                          # on one GPU
    torchrun --nproc-per-node 2 -m demo.benchmark.shared_step                     # on each of two alone, then on both

The real architecture with random weights; each process has a GPU of its own. Each sample of a step is at a
noise level of its own, and gradients are averaged as `lib.training.replicas` does.
"""

import argparse
import gc
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from demo.benchmark.architectures import WAN_14B
from demo.benchmark.random_models import random_sample, random_transformer
from demo.benchmark.tables import Row
from demo.evaluation.table import markdown
from lib.core.units import GIB
from lib.execution.devices import free_memory, prepare_torch
from lib.execution.memory_modes import choose_execution
from lib.models.experts import SOLE, Experts
from lib.models.wan.adapter import WAN21, WanModel
from lib.models.wan.loading import place_transformer
from lib.models.wan.memory import transformer_needs
from lib.training.loop import Objective, Optimizer, Spread, start_training, train
from lib.training.lora import attach_lora
from lib.training.loss_curve import LossCurve
from lib.training.replicas import ALONE, Replica, join_replicas

LAYERS = ("self_attention", "cross_attention", "feed_forward")
OPTIMIZER = Optimizer(1e-4, 0.0, 0.9, 0.99, 0.01, 1.0)
TINY = {"num_attention_heads": 2, "attention_head_dim": 64, "ffn_dim": 512, "num_layers": 3, "added_kv_proj_dim": 128}


def measure(
    given: argparse.Namespace, clip: tuple[int, int, int], at_once: int, replica: Replica, device: torch.device
) -> Iterator[Row]:
    """Run a few steps of one size, alone and then on all GPUs together; yield a row of the table for each.

    Args:
        given: the command line.
        clip: frames, height and width in pixels.
        at_once: samples of a batch.
        replica: this process among those that share the steps.
        device: its own.
    """
    config = {**WAN_14B, **TINY} if given.tiny else dict(WAN_14B)
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    samples = [random_sample(config, *clip, device, dtype) for _ in range(given.samples)]
    needs = transformer_needs(config, (at_once, *samples[0].latents.shape[1:]), dtype)
    mode, execution = choose_execution(given.mode, "native", needs, True, free_memory(device))
    host = torch.device("cpu") if execution.stream_weights else device
    transformer = place_transformer(random_transformer(config, device, dtype, host), execution, device)
    model = WanModel(WAN21, device, {"transformer": Experts([SOLE], lambda _: transformer)})
    parameters = attach_lora(transformer, model.lora_target_modules(LAYERS), 16, 16.0, 0)
    for sharing in dict.fromkeys((ALONE, replica)):
        schedule = [tuple(range(given.samples))] * (given.steps + 1)
        state = start_training(parameters, OPTIMIZER, 0)
        curve = LossCurve(state.curve, schedule, lambda *_: None, device)
        objective, spread = Objective(1.0, 1.0), Spread(sharing, at_once)
        for step, loss in train(model, state, samples, schedule, OPTIMIZER, objective, spread):
            curve.add(step, loss)
        curve.read()
        rows = [json.loads(row) for row in state.curve]
        seconds = sum(row["seconds"] for row in rows[1:]) / given.steps
        yield {
            "gpus": sharing.count,
            "clip": f"{clip[0]}x{clip[2]}x{clip[1]}",
            "samples": given.samples,
            "at once": at_once,
            "mode": f"{mode} ({execution.saved})",
            "s/step": seconds,
            "samples/s": given.samples / seconds,
            "first": rows[0]["seconds"],
            "peak GiB": torch.cuda.max_memory_allocated(device) / GIB if device.type == "cuda" else 0.0,
            "loss": rows[-1]["loss"],
        }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row for each size as it is measured, then the table."""
    parser = argparse.ArgumentParser(prog="python -m demo.benchmark.shared_step", description="Time shared steps.")
    sizes = ["49x832x480:1", "25x832x480:1", "25x832x480:2", "49x416x240:4"]
    parser.add_argument("--sizes", nargs="+", default=sizes, help="frames x width x height : samples at once")
    parser.add_argument("--samples", type=int, default=4, help="of a step")
    parser.add_argument("--steps", type=int, default=2, help="measured, after one that may compile")
    parser.add_argument("--mode", default="auto", help="of memory")
    parser.add_argument("--tiny", action="store_true", help="a model that a CPU can run")
    parser.add_argument("--rows", type=Path, help="a JSON line for each size, as it is measured")
    given = parser.parse_args(arguments)
    device, _ = prepare_torch("auto", "auto", torch.get_num_threads())  # each process claims a GPU of its own
    rows: list[Row] = []
    with join_replicas(device) as replica:
        for size in given.sizes:
            clip, _, at_once = size.partition(":")
            frames, width, height = (int(number) for number in clip.split("x"))
            for row in measure(given, (frames, height, width), int(at_once), replica, device):
                rows.append(row)
                if replica.is_first:
                    _note(row, given.rows)
            gc.collect()
            torch._dynamo.reset()
            if device.type == "cuda":
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
        if replica.is_first:
            print(_table(rows))


def _note(row: Row, path: Path | None) -> None:
    print(json.dumps(row), flush=True)
    if path:
        with path.open("a", encoding="utf-8") as table:
            table.write(json.dumps(row) + "\n")


def _table(rows: Sequence[Row]) -> str:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    shown = [[_cell(row.get(column, "-")) for column in columns] for row in rows]
    return markdown(columns, shown)


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
