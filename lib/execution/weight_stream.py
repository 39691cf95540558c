"""Blocks whose weights stay in host memory and come to the GPU one block ahead of the computation."""

from collections.abc import Sequence

import torch
from torch import nn

from lib.execution.host_memory import pinned_bytes

NUM_SLOTS = 2  # blocks on the GPU at a time: the one that computes, and the next, which is being copied
ALIGNMENT = 256  # bytes; what compiled kernels and copies like

Place = tuple[int, int, tuple[int, ...], torch.dtype]
"""Of a weight in its block's memory: first byte, last, shape and type."""


class WeightStream:
    """The linear weights of blocks, in host memory, and room for the two largest of them on the device.

    Outside of `acquire` and `release` a block's weights are empty. They are frozen, so nothing is ever copied back.
    """

    def __init__(self, blocks: Sequence[nn.Module], device: torch.device) -> None:
        """Move the weights of linear layers to locked host memory, block by block, and all else to the device."""
        self.device = device
        self._weights = [
            [module.weight for module in block.modules() if isinstance(module, nn.Linear)] for block in blocks
        ]
        self._places = [_places(weights) for weights in self._weights]
        self._host = [self._take(weights, places) for weights, places in zip(self._weights, self._places, strict=True)]
        size = max(len(host) for host in self._host)
        for block in blocks:
            block.to(device)
        self._slots = [torch.empty(size, dtype=torch.uint8, device=device) for _ in range(NUM_SLOTS)]
        self._in_slot: list[int | None] = [None] * NUM_SLOTS
        self._in_use: int | None = None
        self._gpu = device.type == "cuda"
        if self._gpu:
            self._copies = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            events = [torch.cuda.Event() for _ in range(2 * NUM_SLOTS)]  # type: ignore[no-untyped-call]
            self._arrived, self._freed = events[:NUM_SLOTS], events[NUM_SLOTS:]

    def acquire(self, block: int, following: int | None) -> None:
        """Put a block's weights in place, and begin to copy those of the block that is needed after it."""
        assert self._in_use is None, f"block {self._in_use} was not released"
        slot = self._fetch(block, avoid=None)
        if self._gpu:
            torch.cuda.current_stream(self.device).wait_event(self._arrived[slot])
        for weight, (start, stop, shape, dtype) in zip(self._weights[block], self._places[block], strict=True):
            weight.data = self._slots[slot][start:stop].view(dtype).view(shape)
        self._in_use = block
        if following is not None:
            self._fetch(following, avoid=slot)

    def release(self, block: int) -> None:
        """Let the next copy overwrite a block's weights once the device is done with what was asked of it so far."""
        assert self._in_use == block
        for weight in self._weights[block]:
            weight.data = weight.data.new_empty(0)
        if self._gpu:
            self._freed[self._in_slot.index(block)].record(torch.cuda.current_stream(self.device))
        self._in_use = None

    def _fetch(self, block: int, avoid: int | None) -> int:
        """Return the slot that holds a block, or will; the copy runs beside the computation."""
        if block in self._in_slot:
            return self._in_slot.index(block)
        slot = next(number for number in range(NUM_SLOTS) if number != avoid)
        self._in_slot[slot] = block
        room = self._slots[slot][: len(self._host[block])]
        if not self._gpu:
            room.copy_(self._host[block])
            return slot
        with torch.cuda.stream(self._copies):
            self._copies.wait_event(self._freed[slot])
            room.copy_(self._host[block], non_blocking=True)
            self._arrived[slot].record(self._copies)
        return slot

    def _take(self, weights: Sequence[torch.Tensor], places: Sequence[Place]) -> torch.Tensor:
        host = pinned_bytes(places[-1][1], self.device)
        for weight, (start, stop, shape, dtype) in zip(weights, places, strict=True):
            host[start:stop].view(dtype).view(shape).copy_(weight.data)
            weight.data = weight.data.new_empty(0)
        return host


def _places(weights: Sequence[torch.Tensor]) -> list[Place]:
    """Return where each weight of a block lies in its memory: first byte, last, shape and type."""
    places, start = [], 0
    for weight in weights:
        stop = start + weight.numel() * weight.element_size()
        places.append((start, stop, tuple(weight.shape), weight.dtype))
        start = -(-stop // ALIGNMENT) * ALIGNMENT
    return places
