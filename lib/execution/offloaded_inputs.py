"""Inputs of blocks that wait in host memory from the forward pass to the backward pass."""

import torch

from lib.execution.host_memory import pinned_bytes


class KeptInputs:
    """One tensor a block, copied out beside the computation and back one block ahead of it."""

    def __init__(self, num_blocks: int, device: torch.device) -> None:
        self.num_blocks, self.device = num_blocks, device
        self._memory = torch.empty(0, dtype=torch.uint8)
        self._shape: torch.Size = torch.Size()
        self._dtype = torch.float32
        self._back: dict[int, tuple[torch.Tensor, torch.cuda.Event | None]] = {}
        self._copies: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._copies = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def put(self, block: int, hidden_states: torch.Tensor) -> None:
        """Begin to copy a block's input to host memory; the device's copy may be freed by its owner at once."""
        if block == 0:
            self._fit(hidden_states)
        place = self._place(block)
        if self._copies is None:
            place.copy_(hidden_states)
            return
        self._copies.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self._copies):
            place.copy_(hidden_states, non_blocking=True)
        hidden_states.record_stream(self._copies)

    def take(self, block: int, following: int | None) -> torch.Tensor:
        """Return a block's input on the device, and begin to bring back that of the block needed after it."""
        self._bring(block)
        if following is not None:
            self._bring(following)
        hidden_states, arrived = self._back.pop(block)
        if arrived is not None:
            torch.cuda.current_stream(self.device).wait_event(arrived)
        return hidden_states

    def _bring(self, block: int) -> None:
        if block in self._back:
            return
        hidden_states = torch.empty(self._shape, dtype=self._dtype, device=self.device)
        if self._copies is None:
            hidden_states.copy_(self._place(block))
            self._back[block] = (hidden_states, None)
            return
        self._copies.wait_stream(torch.cuda.current_stream(self.device))  # its memory may still be in use
        with torch.cuda.stream(self._copies):
            hidden_states.copy_(self._place(block), non_blocking=True)
            arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            arrived.record(self._copies)
        self._back[block] = (hidden_states, arrived)

    def _fit(self, hidden_states: torch.Tensor) -> None:
        """Make room for inputs of this shape, of which all blocks have one."""
        self._shape, self._dtype = hidden_states.shape, hidden_states.dtype
        needed = self.num_blocks * hidden_states.numel() * hidden_states.element_size()
        if needed > self._memory.numel():
            if self._copies is not None:
                self._copies.synchronize()  # copies of the step before may still read the memory that goes
            self._memory = pinned_bytes(needed, self.device)

    def _place(self, block: int) -> torch.Tensor:
        size = self._shape.numel() * self._dtype.itemsize
        return self._memory[block * size : (block + 1) * size].view(self._dtype).view(self._shape)
