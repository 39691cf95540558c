"""Which of PyTorch's attention kernels a GPU runs fastest, found by timing them at about a clip's own size."""

import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from functools import partial

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

PYTORCHS_OWN = "native"
KERNELS: dict[str, list[SDPBackend]] = {
    PYTORCHS_OWN: [],
    "_native_cudnn": [SDPBackend.CUDNN_ATTENTION],
    "_native_flash": [SDPBackend.FLASH_ATTENTION],
    "_native_efficient": [SDPBackend.EFFICIENT_ATTENTION],
}
"""Kernels by diffusers' names of them (`AttentionBackendName`); `native` leaves the choice to PyTorch."""

NUM_HEADS, MOST_TOKENS = 8, 16_384  # of the attention that is timed: enough to fill a GPU, a few ms a call
FEWEST_TOKENS = 4096  # below, launching a kernel takes longer than the kernel, and its time says nothing
NUM_ROUNDS = 6  # of which the first does not count
WORTH = 0.9  # of PyTorch's own choice's time; from there on another kernel is taken, so that noise decides nothing


def fastest_kernel(tokens: int, width: int, dtype: torch.dtype, device: torch.device, training: bool) -> str:
    """Return the kernel to take for self-attention: PyTorch's own choice, unless another one is clearly faster.

    Args:
        tokens: of a clip.
        width: of a head.
        dtype: of queries, keys and values.
        device: that computes.
        training: time the backward pass too.
    """
    if tokens < FEWEST_TOKENS:
        return PYTORCHS_OWN
    shape = (1, NUM_HEADS, min(tokens, MOST_TOKENS), width)
    query, key, value = (torch.randn(shape, dtype=dtype, device=device, requires_grad=training) for _ in range(3))

    def attend(backends: list[SDPBackend]) -> None:
        with sdpa_kernel(backends) if backends else nullcontext():
            output = F.scaled_dot_product_attention(query, key, value)
        if training:
            torch.autograd.grad(output, (query, key, value), torch.ones_like(output))

    timings: dict[str, list[float]] = {name: [] for name in KERNELS}
    with warnings.catch_warnings(action="ignore"):  # kernels that are passed over say why
        for _ in range(NUM_ROUNDS):  # by turns, so that what slows the machine down for a while slows them all
            for name, backends in KERNELS.items():
                with suppress(RuntimeError):  # this GPU, type or width has no such kernel
                    timings[name].append(_seconds(partial(attend, backends), device))
    return choose_kernel({name: min(seconds[1:]) for name, seconds in timings.items() if seconds})


def choose_kernel(seconds: Mapping[str, float]) -> str:
    """Return the fastest kernel by name, or `native` where none is faster than that by more than noise."""
    best = min(seconds, key=seconds.__getitem__)
    return best if seconds[best] < WORTH * seconds[PYTORCHS_OWN] else PYTORCHS_OWN


def _seconds(work: Callable[[], None], device: torch.device) -> float:
    """Return the time of a call."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started
