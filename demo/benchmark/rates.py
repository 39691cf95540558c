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


@dataclass(frozen=True)
class Size:
    """What of a transformer its products' work follows from.

    Attributes:
        heads, head_width: of attention.
        wide: outputs of its widest linear layer.
        num_blocks: of all kinds.
        multiplied: numbers of a block's linear layers that each token is multiplied by.
    """

    heads: int
    head_width: int
    wide: int
    num_blocks: int
    multiplied: int


def wan_size(config: Mapping[str, Any]) -> Size:
    """Read the size of a WanTransformer3DModel; keys and values of the few text tokens are left out."""
    heads, head_width, wide = (config[key] for key in ("num_attention_heads", "attention_head_dim", "ffn_dim"))
    width = heads * head_width
    return Size(heads, head_width, wide, config["num_layers"], 6 * width**2 + 2 * width * wide)


def joint_size(config: Mapping[str, Any]) -> Size:
    """Read the size of a model whose video and text attend to each other, one block after the other."""
    heads, head_width = config["num_attention_heads"], config["attention_head_dim"]
    width, wide = heads * head_width, int(heads * head_width * config["mlp_ratio"])
    num_blocks = config["num_layers"] + config.get("num_single_layers", 0)
    return Size(heads, head_width, wide, num_blocks, 4 * width**2 + 2 * width * wide)


def floors(size: Size, tokens: int, rates: Rates, draws: int = 1) -> tuple[float, float]:
    """Return the seconds that a forward pass and a LoRA step take at these rates, with nothing computed twice.

    Both are of a batch of `draws`.

    A step's linear layers cost twice the forward's, since frozen weights take no gradient; attention 3.5 times.
    """
    linear = size.num_blocks * 2 * tokens * size.multiplied
    attention = size.num_blocks * 4 * tokens**2 * size.heads * size.head_width
    forward = draws * (linear / rates.matrix + attention / rates.attention)
    return forward, forward + draws * (linear / rates.matrix + 2.5 * attention / rates.attention_backward)


def measure_rates(size: Size, tokens: int, device: torch.device, dtype: torch.dtype, duration: float) -> Rates:
    """Time the two products that matter, at this model's and this clip's size, each for so many seconds."""
    width, wide, heads = size.head_width, size.wide, size.heads
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
