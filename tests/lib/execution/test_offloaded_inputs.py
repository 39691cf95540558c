"""Inputs of blocks in host memory: it is not replaced while a GPU still copies from it."""

import pytest
import torch

from lib.execution import offloaded_inputs
from lib.execution.host_memory import pinned_bytes
from lib.execution.offloaded_inputs import KeptInputs

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="only a GPU copies beside the host")
GPU = torch.device("cuda")
NUM_BLOCKS, SIZE = 2, 1 << 22
A_WHILE = 10**9  # cycles, half a second: a bus so slow that the host is far ahead


def _begin_late_copies(kept: KeptInputs) -> tuple[torch.Tensor, torch.Tensor, torch.cuda.Event]:
    """Let inputs be brought back by copies that cannot begin yet; return what comes, what is right, and when it is."""
    inputs = torch.randn(NUM_BLOCKS, SIZE, device=GPU)
    for block in range(NUM_BLOCKS):
        kept.put(block, inputs[block])
    torch.cuda.synchronize()
    with torch.cuda.stream(kept._copies):
        torch.cuda._sleep(A_WHILE)
    last = NUM_BLOCKS - 1
    brought, done = kept.take(last, last - 1), torch.cuda.Event()
    done.record(kept._copies)
    assert not done.query(), "else nothing is tested"
    return brought, inputs[last], done


def test_larger_inputs_wait_for_the_copies_of_the_step_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A larger sample replaces the memory: not before the last step's inputs have left it."""
    kept, larger = KeptInputs(NUM_BLOCKS, GPU), torch.zeros(2 * SIZE, device=GPU)  # made now: to allocate may wait
    brought, right, done = _begin_late_copies(kept)
    were_done = []

    def allocate(num_bytes: int, device: torch.device) -> torch.Tensor:
        were_done.append(done.query())
        return pinned_bytes(num_bytes, device)

    monkeypatch.setattr(offloaded_inputs, "pinned_bytes", allocate)
    kept.put(0, larger)
    assert were_done == [True] and torch.equal(brought, right)
