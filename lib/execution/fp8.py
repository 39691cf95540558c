"""Linear layers whose frozen weights are kept, and if asked for multiplied, in 8-bit floating point.

Format e4m3 with a scale for each row of a matrix, as in Micikevicius et al. 2022 and torchao's row-wise recipe.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

FP8 = torch.float8_e4m3fn
FP8_MAX = 448.0


class Fp8Linear(nn.Linear):
    """A frozen linear layer with its weight in 8 bits.

    Attributes:
        weight: (out, in) uint8: the bits of float8, since libraries take a float8 weight for a type to compute in.
        weight_scale: (out, 1) float32, of each row.
        products: multiply in 8 bits too; if not, the weight is widened to the input's type before each product.
    """

    def __init__(self, linear: nn.Linear, products: bool) -> None:
        super().__init__(linear.in_features, linear.out_features, bias=False, device="meta")
        quantised, scale = quantise_rows(linear.weight.detach())
        self.weight = nn.Parameter(quantised.view(torch.uint8), requires_grad=False)
        self.register_buffer("weight_scale", scale)
        self.bias = linear.bias
        self.products = products

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Multiply (..., in) to (..., out)."""
        weight, scale = self.weight.view(FP8), self.get_buffer("weight_scale")
        if not self.products:
            return F.linear(hidden_states, (weight.float() * scale).to(hidden_states.dtype), self.bias)
        flat = hidden_states.reshape(-1, self.in_features)
        multiplied: torch.Tensor = _Fp8Product.apply(flat, weight, scale)  # type: ignore[no-untyped-call]
        multiplied = multiplied if self.bias is None else multiplied + self.bias
        return multiplied.view(*hidden_states.shape[:-1], self.out_features)


class _Fp8Product(torch.autograd.Function):
    """inputs @ weight.T in 8 bits, and its gradient likewise; the weight takes none."""

    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor, weight: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(weight, scale)
        quantised, input_scale = quantise_rows(inputs)
        return _multiply(quantised, weight.t(), input_scale, scale.t(), inputs.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Multiply gradients (tokens, out) by the weight; its row scales go with the gradient's columns."""
        (gradient,), (weight, scale) = gradients, ctx.saved_tensors
        quantised, gradient_scale = quantise_rows(gradient * scale.t().to(gradient.dtype))
        ones = torch.ones(1, weight.shape[1], device=weight.device)
        by_column = weight.t().contiguous().t()  # the hardware takes the second matrix by columns
        return _multiply(quantised, by_column, gradient_scale, ones, gradient.dtype), None, None


def _multiply(
    left: torch.Tensor, right: torch.Tensor, left_scale: torch.Tensor, right_scale: torch.Tensor, dtype: torch.dtype
) -> torch.Tensor:
    """Multiply two float8 matrices with scales for the rows of the left, (rows, 1), and columns of the right."""
    if left.device.type == "cuda":
        return torch._scaled_mm(left, right, left_scale, right_scale, out_dtype=dtype, use_fast_accum=True)
    return ((left.float() @ right.float()) * left_scale * right_scale).to(dtype)


def quantise_rows(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Round a matrix (rows, columns) to float8 with a scale (rows, 1) float32 that makes each row's largest fit."""
    scale = matrix.abs().amax(dim=1, keepdim=True).float().clamp(min=1e-12) / FP8_MAX
    return (matrix.float() / scale).clamp(-FP8_MAX, FP8_MAX).to(FP8), scale


def store_in_fp8(module: nn.Module, device: torch.device, products: bool = False) -> None:
    """Replace the linear layers inside a module by 8-bit ones, on the device where they were.

    Args:
        module: a transformer block, frozen.
        device: where to quantise; a GPU is a hundred times faster than the host.
        products: see `Fp8Linear`.
    """
    for name, child in list(module.named_children()):
        if isinstance(child, nn.Linear) and not isinstance(child, Fp8Linear):
            home = child.weight.device
            setattr(module, name, Fp8Linear(child.to(device), products).to(home))
        else:
            store_in_fp8(child, device, products)
