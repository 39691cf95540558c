"""Weights in 8 bits: how far off they are, and that gradients pass through them."""

import pytest
import torch
from torch import nn

from lib.execution.fp8 import FP8, Fp8Linear, quantise_rows, store_in_fp8


def _linear(seed: int = 0) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(96, 64).requires_grad_(False)


def test_each_row_is_scaled_to_its_own_largest() -> None:
    """A row a thousand times smaller keeps its digits; a row of zeros stays zeros."""
    matrix = torch.randn(3, 40, generator=torch.Generator().manual_seed(0)) * torch.tensor([[1.0], [1e-3], [0.0]])
    quantised, scale = quantise_rows(matrix)
    assert quantised.dtype == FP8 and scale.shape == (3, 1)
    restored = quantised.float() * scale
    assert (restored - matrix).abs().max(dim=1).values[:2].le(matrix[:2].abs().amax(dim=1) / 16).all()
    assert torch.equal(restored[2], torch.zeros(40))


@pytest.mark.parametrize("products", [False, True])
def test_outputs_and_gradients_stay_near_the_full_weights(products: bool) -> None:
    """Three bits of mantissa: a few percent on random matrices, for outputs and for what flows back."""
    linear, inputs = _linear(), torch.randn(2, 7, 96, generator=torch.Generator().manual_seed(1))
    results = []
    for layer in (linear, Fp8Linear(linear, products)):
        given = inputs.clone().requires_grad_()
        output = layer(given)
        output.square().sum().backward()
        results.append((output.detach(), given.grad))
    for ours, theirs in zip(results[1], results[0], strict=True):
        error = ((ours - theirs).norm() / theirs.norm()).item()
        assert 0 < error < 0.08, error


def test_a_module_keeps_half_the_bytes_and_its_biases() -> None:
    """All linear layers inside are replaced, at any depth; nothing else is touched."""
    module = (
        nn.Sequential(_linear(), nn.LayerNorm(64), nn.Sequential(nn.Linear(64, 64))).bfloat16().requires_grad_(False)
    )
    weights = [layer.weight.numel() for layer in module.modules() if isinstance(layer, nn.Linear)]
    store_in_fp8(module, torch.device("cpu"))
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    assert all(isinstance(layer, Fp8Linear) for layer in layers) and len(layers) == 2
    assert [layer.weight.nbytes for layer in layers] == weights
    assert all(layer.bias.dtype == torch.bfloat16 for layer in layers)
    assert not any(parameter.requires_grad for parameter in module.parameters())
