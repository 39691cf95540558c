"""Which outputs inside a block are kept for the backward pass, so that only cheap ones are computed again."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

aten = torch.ops.aten

ATTENTIONS = {
    getattr(aten, name).default
    for name in (
        "_scaled_dot_product_cudnn_attention",
        "_scaled_dot_product_flash_attention",
        "_scaled_dot_product_efficient_attention",
        "_scaled_dot_product_flash_attention_for_cpu",
    )
}

MULTIPLY = {aten.mm.default: 0, aten.addmm.default: 1, aten._scaled_mm.default: 0}  # and where its left matrix stands

THIN = 8  # times narrower than its other side is a matrix of a LoRA

KEPT_KINDS = {
    "attention": ("attention", "thin"),
    "linear": ("attention", "thin", "linear"),
    "most": ("attention", "thin", "linear", "widening"),
}
"""Per `lib.execution.block_runs.Saved`, what is kept: kinds of `_kind`.

No sets: their order, another in each process, would make what was compiled before look like something else.
"""

Contexts = Callable[[], tuple[Any, Any]]
"""Makes the two contexts, of forward pass and recomputation, that torch.utils.checkpoint asks for."""


def keeping(kept: tuple[str, ...]) -> Contexts:
    """Return the contexts in which outputs of some kinds, of `_kind`, are kept and all others computed again."""
    contexts = partial(create_selective_checkpoint_contexts, partial(_policy, kept))
    # By this PyTorch tells whether a block that was compiled before, in another process too, keeps the same: without it
    # each training traces its blocks anew, which takes longer than all else that compiling does with a filled cache.
    source = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    contexts.cache_hash = f"{source} {kept}"  # type: ignore[attr-defined]
    return contexts


def checkpointed(forward: Callable[..., torch.Tensor], contexts: Contexts, *arguments: Any) -> torch.Tensor:
    """Run a block so that autograd keeps its input and what the contexts say; see PyTorch's selective checkpointing."""
    if not torch.is_grad_enabled():
        return forward(*arguments)
    output: torch.Tensor = checkpoint(forward, *arguments, use_reentrant=False, context_fn=contexts)
    return output


def _policy(kept: tuple[str, ...], _: Any, operator: Any, *arguments: Any, **__: Any) -> CheckpointPolicy:
    keeps = _kind(operator, arguments) in kept
    return CheckpointPolicy.MUST_SAVE if keeps else CheckpointPolicy.PREFER_RECOMPUTE


def _kind(operator: Any, arguments: tuple[Any, ...]) -> str:
    """Name what an operator is in a transformer block: one of these kinds, or anything cheap.

    Cross-attention is cheap, since it looks at few tokens. Thin is a LoRA's first product: a few numbers a token, which
    take reading all of its input; its second, from those to the full width, is cheap.
    """
    if operator in ATTENTIONS:
        query, key = arguments[:2]
        return "attention" if query.shape[-2] == key.shape[-2] else "cheap"
    if operator not in MULTIPLY:
        return "cheap"
    left, right = arguments[MULTIPLY[operator] : MULTIPLY[operator] + 2]
    (_, width), (_, outputs) = left.shape, right.shape
    if width < outputs // THIN:
        return "cheap"
    if outputs < width // THIN:
        return "thin"
    return "widening" if outputs > width else "linear"
