"""What a GPU reaches in the two products that matter, and the floor under a step and a pass that follows from it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

MOMENT, ON_END = 0.05, 2.0  # seconds for which a rate is measured
CALLS_BETWEEN_LOOKS = 10  # at the clock


@dataclass(frozen=True)
class Rates:
    """What a GPU reaches on large problems, in FLOP per second."""

    matrix: float
    attention: float
    attention_backward: float

    def __str__(self) -> str:
        return ", ".join(f"{name.replace('_', ' ')} {rate / 1e12:.3g}" for name, rate in vars(self).items())


def floors(config: Mapping[str, Any], tokens: int, rates: Rates, draws: int = 1) -> tuple[float, float]:
    """Return the seconds that a forward pass and a LoRA step take at these rates, with nothing computed twice.

    Both are of a batch of `draws`.

    A step's linear layers cost twice the forward's, since frozen weights take no gradient; attention 3.5 times.
    """
    width, wide = config["num_attention_heads"] * config["attention_head_dim"], config["ffn_dim"]
    linear = config["num_layers"] * 2 * tokens * (6 * width**2 + 2 * width * wide)  # but keys of the few text tokens
    attention = config["num_layers"] * 4 * tokens**2 * width
    forward = draws * (linear / rates.matrix + attention / rates.attention)
    return forward, forward + draws * (linear / rates.matrix + 2.5 * attention / rates.attention_backward)


def measure_rates(
    config: Mapping[str, Any], tokens: int, device: torch.device, dtype: torch.dtype, duration: float
) -> Rates:
    """Time the two products that matter, at this model's and this clip's size, each for so many seconds."""
    width, wide, heads = (config[key] for key in ("attention_head_dim", "ffn_dim", "num_attention_heads"))
    left = torch.randn(tokens, width * heads, device=device, dtype=dtype)
    right = torch.randn(wide, width * heads, device=device, dtype=dtype)
    query = torch.randn(1, heads, tokens, width, device=device, dtype=dtype, requires_grad=True)
    output = F.scaled_dot_product_attention(query, query, query)
    work = 4 * tokens**2 * width * heads
    with torch.no_grad():
        matrix = 2 * tokens * width * heads * wide / _seconds(lambda: left @ right.t(), device, duration)
        attention = work / _seconds(lambda: F.scaled_dot_product_attention(query, query, query), device, duration)
    gradient = torch.randn_like(output)
    backward = _seconds(lambda: torch.autograd.grad(output, query, gradient, retain_graph=True), device, duration)
    return Rates(matrix, attention, 2.5 * work / backward)


def _seconds(work: Callable[[], Any], device: torch.device, duration: float) -> float:
    """Return the mean time of a call over so many seconds, after two calls that do not count."""
    for _ in range(2):
        work()
    wait_for(device)
    repeats, started = 0, time.perf_counter()
    while time.perf_counter() - started < duration or repeats < 1:
        for _ in range(CALLS_BETWEEN_LOOKS):
            work()
        wait_for(device)
        repeats += CALLS_BETWEEN_LOOKS
    return (time.perf_counter() - started) / repeats


def wait_for(device: torch.device) -> None:
    """Return when a GPU has done what was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
