"""How the blocks of a transformer are run: compiled, recomputed in the backward pass, streamed from host memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import nn

from lib.config.sections import WeightStore
from lib.execution.fp8 import store_in_fp8
from lib.execution.offloaded_inputs import KeptInputs
from lib.execution.selective_checkpoint import KEPT_KINDS, checkpointed, keeping
from lib.execution.weight_stream import WeightStream

MAX_GRAPHS = 32  # compiled for one block: with and without gradients, for whole clips and for references

FP8_STORES: tuple[WeightStore, ...] = ("fp8", "fp8_products")

Saved = Literal["everything", "most", "linear", "attention", "inputs"]
"""What a block keeps for the backward pass, from the most memory and least time to the reverse.

everything: what autograd would; most: the outputs of self-attention and of all linear layers; linear: but for the
widest, the feed-forward's first; attention: only self-attention's; inputs: only what the block was given. Of one block
of the 14B model at 49 frames of 832x480: from `most` on 2.1, 1.6, 0.4 and 0.2 GiB; `everything` does not fit an H200.
"""


@dataclass(frozen=True)
class Execution:
    """How blocks are run; all ways give the same numbers but for rounding.

    Attributes:
        compiled: by torch.compile, once for all blocks.
        saved: for the backward pass; the rest is computed again there.
        stream_weights: keep the weights in host memory, see `lib.execution.weight_stream`; needs saved inputs.
        offload_inputs: keep saved inputs in host memory, see `lib.execution.offloaded_inputs`.
        weights: of linear layers; `fp8` keeps them in 8 bits, `fp8_products` multiplies in 8 bits too, `gguf` leaves
            them as they were loaded, see `lib.execution.gguf_weights`.
    """

    compiled: bool = False
    saved: Saved = "everything"
    stream_weights: bool = False
    offload_inputs: bool = False
    weights: WeightStore = "native"


Block = Callable[..., Any]


def set_up_blocks(
    blocks: Sequence[nn.Module], execution: Execution, device: torch.device, num_streams: int = 1
) -> None:
    """Make blocks run so, on a device; a LoRA may be attached before or after.

    Args:
        blocks: alike, frozen; called as block(hidden_states, *others), where only hidden_states takes a gradient.
        execution: see there.
        device: where they compute.
        num_streams: of the arguments, the first so many take gradients, such as a video's tokens and a text's, and the
            block returns a tuple of as many; 1: it returns a tensor.
    """
    if execution.weights in FP8_STORES:
        for block in blocks:
            store_in_fp8(block, device, products=execution.weights == "fp8_products")
    assert execution.saved == "inputs" or not (execution.stream_weights or execution.offload_inputs)
    stream = WeightStream(blocks, device) if execution.stream_weights else None
    inputs = [KeptInputs(len(blocks), device) for _ in range(num_streams)] if execution.offload_inputs else []
    forward = _forward(type(blocks[0]).forward, execution, num_streams)
    for number, block in enumerate(blocks):
        block.to(device)
        own: Block = partial(forward, block)
        if execution.saved == "inputs":
            own = partial(_run, _Run(number, len(blocks), own, stream, inputs, num_streams))
        block.forward = own


def _forward(forward: Block, execution: Execution, num_streams: int) -> Block:
    """Return a block's forward as it saves, compiled or not; `inputs` is dealt with outside of it."""
    if execution.saved in KEPT_KINDS:
        forward = partial(checkpointed, forward, keeping(KEPT_KINDS[execution.saved]))
    if execution.compiled:
        torch._dynamo.config.recompile_limit = MAX_GRAPHS
        forward = partial(_with_gradient, torch.compile(forward, dynamic=False), num_streams)
    return forward


def _with_gradient(forward: Block, num_streams: int, block: nn.Module, *arguments: Any) -> Any:
    """Let the first block's inputs take gradients too: those that need none would be compiled for apart."""
    if torch.is_grad_enabled():
        arguments = _demanding(arguments, num_streams)
    return forward(block, *arguments)


def _demanding(arguments: tuple[Any, ...], num_streams: int) -> tuple[Any, ...]:
    """Return arguments of which the first ones, the streams, take gradients."""
    streams = [
        stream if stream.requires_grad else stream.detach().requires_grad_() for stream in arguments[:num_streams]
    ]
    return (*streams, *arguments[num_streams:])


@dataclass(frozen=True)
class _Run:
    """One block, where its weights come from and where its inputs are kept: nowhere else if there are no `inputs`."""

    number: int
    num_blocks: int
    forward: Block
    stream: WeightStream | None
    inputs: Sequence[KeptInputs]
    num_streams: int

    def compute(self, *arguments: Any, following: int | None, **options: Any) -> Any:
        """Compute the block's output and let go of its weights."""
        self.acquire(following)
        output = self.forward(*arguments, **options)
        self.let_go()
        return output

    def acquire(self, following: int | None) -> None:
        if self.stream:
            self.stream.acquire(self.number, following)

    def let_go(self) -> None:
        if self.stream:
            self.stream.release(self.number)

    @property
    def next_number(self) -> int | None:
        return self.number + 1 if self.number + 1 < self.num_blocks else None

    @property
    def previous_number(self) -> int | None:
        return self.number - 1 if self.number else None


def _run(run: _Run, *arguments: Any, **options: Any) -> Any:
    """Stand in for a block's forward."""
    if not torch.is_grad_enabled():
        return run.compute(*arguments, following=(run.number + 1) % run.num_blocks, **options)
    assert not options, f"a block that is recomputed takes no {sorted(options)}"
    demanding = _demanding(arguments, run.num_streams)  # else autograd leaves the block out
    return _Recomputed.apply(run, *demanding)  # type: ignore[no-untyped-call]


class _Recomputed(torch.autograd.Function):
    """A block that keeps its inputs alone; torch.utils.checkpoint's reentrant form, which tells when it is done."""

    @staticmethod
    def forward(ctx: Any, run: _Run, *arguments: Any) -> Any:
        streams = arguments[: run.num_streams]
        ctx.run, ctx.others = run, arguments[run.num_streams :]
        ctx.set_materialize_grads(False)  # what the last block does to a stream that nobody reads has no gradient
        for inputs, stream in zip(run.inputs, streams, strict=False):
            inputs.put(run.number, stream)
        if not run.inputs:
            ctx.save_for_backward(*streams)
        return run.compute(*arguments, following=run.next_number)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        run: _Run = ctx.run
        kept = [inputs.take(run.number, run.previous_number) for inputs in run.inputs] or ctx.saved_tensors
        streams = [stream.detach().requires_grad_() for stream in kept]
        run.acquire(run.previous_number)
        with torch.enable_grad():
            output = run.forward(*streams, *ctx.others)
        outputs = output if isinstance(output, tuple) else (output,)
        read = [pair for pair in zip(outputs, gradients, strict=True) if pair[1] is not None]
        torch.autograd.backward([made for made, _ in read], [gradient for _, gradient in read])  # the LoRA's as well
        run.let_go()
        return None, *(stream.grad for stream in streams), *(None for _ in ctx.others)
