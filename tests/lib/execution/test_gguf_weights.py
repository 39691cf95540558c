"""Linear layers with packed weights, compiled: as they are run on a GPU."""

import numpy as np
import pytest
import torch
from torch import nn

from lib.execution.block_runs import Execution, Saved, set_up_blocks
from lib.execution.gguf_weights import GgufLinear
from tests.lib.execution.test_block_runs import NEEDS_COMPILER
from tests.lib.models.wan.gguf_files import pack

CPU = torch.device("cpu")


class _Block(nn.Module):
    """A packed layer beside one that learns."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        linear = nn.Linear(256, 256)
        self.packed = GgufLinear(linear, kind)
        stored = pack(linear.weight.detach().numpy(), kind)
        self.packed.weight = nn.Parameter(torch.from_numpy(np.ascontiguousarray(stored)), requires_grad=False)
        self.learnt = nn.Linear(256, 256, bias=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Add what both make of the tokens (batch, tokens, 256)."""
        return tokens + self.packed(torch.relu(tokens)) + self.learnt(tokens)


def _run(execution: Execution, kind: str) -> list[torch.Tensor]:
    torch.manual_seed(0)
    blocks = nn.ModuleList([_Block(kind), _Block(kind)])
    for block in blocks:
        block.packed.requires_grad_(False)
    set_up_blocks(blocks, execution, CPU)  # type: ignore[arg-type]
    tokens = torch.randn(1, 16, 256)
    for block in blocks:
        tokens = block(tokens)
    tokens.square().mean().backward()
    return [tokens.detach(), *(block.learnt.weight.grad for block in blocks)]  # type: ignore[list-item]


@NEEDS_COMPILER
@pytest.mark.parametrize(("kind", "saved"), [("Q4_K", "most"), ("Q6_K", "inputs")])
def test_packed_layers_compile_whole(kind: str, saved: Saved) -> None:
    """To the same numbers but for rounding, without a break in the graph, at which a GPU would wait for the host."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    compiled = _run(Execution(compiled=True, saved=saved), kind)
    assert not torch._dynamo.utils.counters["graph_break"] and torch._dynamo.utils.counters["stats"]["unique_graphs"]
    for ours, theirs in zip(compiled, _run(Execution(), kind), strict=True):
        assert (ours - theirs).norm() < 1e-5 * theirs.norm()
