"""Which of PyTorch's attention kernels a GPU runs fastest, found by timing them at about a clip's own size."""

import statistics
import time
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

PYTORCHS_OWN = "native"
KERNELS: dict[str, SDPBackend] = {
    "_native_cudnn": SDPBackend.CUDNN_ATTENTION,
    "_native_flash": SDPBackend.FLASH_ATTENTION,
    "_native_efficient": SDPBackend.EFFICIENT_ATTENTION,
}
"""Kernels by diffusers' names of them (`AttentionBackendName`); `native` leaves the choice to PyTorch."""

NUM_HEADS, MOST_TOKENS = 8, 16_384  # of the attention that is timed: enough to fill a GPU, a few ms a call
NUM_TIMINGS = 5
WORTH = 0.95  # of PyTorch's own choice's time; from there on another kernel is taken, so that noise decides nothing


def fastest_kernel(tokens: int, width: int, dtype: torch.dtype, device: torch.device, training: bool) -> str:
    """Return the kernel to take for self-attention: PyTorch's own choice, unless another one is clearly faster.

    Args:
        tokens: of a clip.
        width: of a head.
        dtype: of queries, keys and values.
        device: that computes.
        training: time the backward pass too.
    """
    shape = (1, NUM_HEADS, min(tokens, MOST_TOKENS), width)
    query, key, value = (torch.randn(shape, dtype=dtype, device=device, requires_grad=training) for _ in range(3))

    def attend() -> None:
        output = F.scaled_dot_product_attention(query, key, value)
        if training:
            torch.autograd.grad(output, (query, key, value), torch.ones_like(output))

    seconds = {PYTORCHS_OWN: _seconds(attend, device)}
    for name, backend in KERNELS.items():
        try:
            with sdpa_kernel(backend):
                seconds[name] = _seconds(attend, device)
        except RuntimeError:
            continue  # this GPU, type or width has no such kernel
    return choose_kernel(seconds)


def choose_kernel(seconds: Mapping[str, float]) -> str:
    """Return the fastest kernel by name, or `native` where none is faster than that by more than noise."""
    best = min(seconds, key=seconds.__getitem__)
    return best if seconds[best] < WORTH * seconds[PYTORCHS_OWN] else PYTORCHS_OWN


def _seconds(work: Callable[[], None], device: torch.device) -> float:
    """Return the median time of a call, after one that does not count."""
    timings = []
    for _ in range(NUM_TIMINGS + 1):
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        timings.append(time.perf_counter() - started)
    return statistics.median(timings[1:])
