"""3D convolutions on the CPU, run by oneDNN where torch would take a slow loop of its own."""

from functools import partial

import torch
from torch import nn


def speed_up_convolutions(module: nn.Module) -> nn.Module:
    """Let the 3D convolutions of a module on the CPU run in oneDNN, nearly three times as fast, alike but for rounding.

    By itself torch 2.13 takes a slow loop of its own for batches of one with few values (`use_mkldnn` in
    aten/src/ATen/native/Convolution.cpp).
    """
    if torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        convolutions = (part for part in module.modules() if isinstance(part, nn.Conv3d))
        for part in convolutions:
            is_plain = part.padding_mode == "zeros" and not isinstance(part.padding, str)
            if is_plain and part.weight.device.type == "cpu":
                part._conv_forward = partial(_convolve, part)  # type: ignore[method-assign]
    return module


def _convolve(
    convolution: nn.Conv3d, values: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    padding, stride = convolution.padding, convolution.stride
    assert not isinstance(padding, str)
    return torch.mkldnn_convolution(values, weight, bias, padding, stride, convolution.dilation, convolution.groups)
