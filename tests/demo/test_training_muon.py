"""The batched Muon takes the steps of PyTorch's."""

import pytest
import torch

from demo.training.muon import BatchedMuon
from demo.training.steps import set_learning_rate

pytestmark = pytest.mark.slow

SHAPES = ((6, 4), (4, 6), (6, 4), (5, 5))


def test_steps_are_those_of_torch() -> None:
    """Tall, wide and square matrices, three steps with weight decay."""
    torch.manual_seed(0)
    ours = [torch.nn.Parameter(torch.randn(shape)) for shape in SHAPES]
    theirs = [torch.nn.Parameter(matrix.detach().clone()) for matrix in ours]
    batched = BatchedMuon(ours, weight_decay=0.1)
    expected = torch.optim.Muon(theirs, lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    set_learning_rate(batched, progress=0.02, peak=0.01)
    set_learning_rate(expected, progress=0.02, peak=0.01)
    started = [matrix.detach().clone() for matrix in ours]
    for _ in range(3):
        for matrix, other in zip(ours, theirs, strict=True):
            matrix.grad = torch.randn(matrix.shape)
            other.grad = matrix.grad.clone()
        batched.step()
        expected.step()
    for matrix, other, before in zip(ours, theirs, started, strict=True):
        assert (matrix - before).abs().mean() > 0.003
        torch.testing.assert_close(matrix - before, other - before, atol=2e-4, rtol=0.02)  # both iterate in bfloat16
