"""Linear layers whose frozen weights stay as a GGUF file has them, in 2 to 8 bits, and are widened where they multiply.

The formulas are diffusers' own (diffusers/quantizers/gguf/utils.py), in float32, as ggml's are: diffusers itself takes
them in float16. Nothing of a file is run.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.quantizers.gguf.utils import dequantize_functions
from gguf import GGMLQuantizationType
from torch import nn

from lib.inputs.gguf_header import PLAIN, block_of, read_gguf_header

TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


@dataclass(frozen=True)
class Packed:
    """A matrix as the file has it.

    Attributes:
        stored: (rows, bytes of a row) uint8.
        kind: name of its type, see `lib.inputs.gguf_header.KINDS`.
    """

    stored: torch.Tensor
    kind: str


class GgufLinear(nn.Linear):
    """A frozen linear layer with its weight as a GGUF file has it.

    Attributes:
        weight: (out, bytes of a row) uint8.
        kind: of the weight, see `Packed`.
    """

    def __init__(self, linear: nn.Linear, kind: str) -> None:
        """Take the place of a layer, with its bias; the weight is empty, to be loaded."""
        super().__init__(linear.in_features, linear.out_features, bias=False, device="meta")
        numbers, size = block_of(kind)
        stored = torch.empty(
            linear.out_features, linear.in_features // numbers * size, dtype=torch.uint8, device="meta"
        )
        self.weight = nn.Parameter(stored, requires_grad=False)
        self.bias = linear.bias
        self.kind = kind

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Multiply (..., in) to (..., out)."""
        product: torch.Tensor = _WidenedProduct.apply(hidden_states, self.weight, self.bias, self.kind)  # type: ignore[no-untyped-call]
        return product


class _WidenedProduct(torch.autograd.Function):
    """A linear layer that keeps for its gradient the packed weight, not the widened one, and widens it again."""

    @staticmethod
    def forward(
        ctx: Any, inputs: torch.Tensor, stored: torch.Tensor, bias: torch.Tensor | None, kind: str
    ) -> torch.Tensor:
        ctx.save_for_backward(stored)
        ctx.kind = kind
        return F.linear(inputs, unpack(stored, kind).to(inputs.dtype), bias)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        (gradient,), (stored,) = gradients, ctx.saved_tensors
        return gradient @ unpack(stored, ctx.kind).to(gradient.dtype), None, None, None


def unpack(stored: torch.Tensor, kind: str) -> torch.Tensor:
    """Return the numbers that bytes stand for.

    Args:
        stored: (rows, bytes of a row) uint8.
        kind: see `Packed`.

    Returns:
        (rows, columns) float32.
    """
    rows, _ = stored.shape
    if kind in TYPES:
        return stored.view(TYPES[kind]).float()
    numbers, size = block_of(kind)
    blocks = stored.reshape(-1, size)
    wide: torch.Tensor = dequantize_functions[GGMLQuantizationType[kind]](blocks, numbers, size, torch.float32)
    return wide.reshape(rows, -1)


def read_gguf(
    path: Path, device: torch.device, keep: Callable[[str], bool]
) -> Iterator[tuple[str, torch.Tensor | Packed]]:
    """Yield the tensors of a file by name, one by one.

    Args:
        path: of the file.
        device: where they are widened, and come out in float32.
        keep: tells by its name whether a matrix in few bits comes as it is, and where the file is: on the CPU.

    Raises:
        InputError: see `lib.inputs.gguf_header.read_gguf_header`.
    """
    content = np.memmap(path, dtype=np.uint8, mode="c")
    for name, tensor in read_gguf_header(path).tensors.items():
        part = torch.from_numpy(content[tensor.start : tensor.start + tensor.num_bytes])
        numbers, _ = block_of(tensor.kind)
        if tensor.kind not in PLAIN and len(tensor.shape) == 2 and tensor.shape[1] % numbers == 0 and keep(name):
            yield name, Packed(part.view(tensor.shape[0], -1), tensor.kind)
        else:
            # A row of its own for all: a tensor that had another shape once may have had other rows too.
            yield name, unpack(part.to(device)[None], tensor.kind).view(tensor.shape)


def pack_linear(module: nn.Module, name: str, kind: str) -> None:
    """Put a packed layer, yet without weights, in the place of a linear layer inside a module."""
    parent, _, own = name.rpartition(".")
    layers = module.get_submodule(parent)
    linear = getattr(layers, own)
    assert isinstance(linear, nn.Linear), f"{name} is no linear layer"
    setattr(layers, own, GgufLinear(linear, kind))
