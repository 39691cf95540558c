"""Muon for many small matrices: PyTorch's, but all matrices of one shape at once, and fit for a CUDA graph.

torch.optim.Muon launches some 16 kernels for each matrix, which costs a small model more than its forward and backward
pass; and it takes its learning rate as a number, which a CUDA graph would hold fast.
"""

from math import sqrt
from typing import Any

import torch

MOMENTUM = 0.95
# Keller Jordan's quintic Newton-Schulz iteration (https://kellerjordan.github.io/posts/muon), as in torch.optim.Muon.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
NUM_ITERATIONS = 5
SMALLEST_NORM = 1e-7


def orthogonalise(matrices: torch.Tensor) -> torch.Tensor:
    """Bring the singular values of matrices (count, rows, columns) near 1; in bfloat16, as in torch.optim.Muon."""
    _, rows, columns = matrices.shape
    wide = matrices.bfloat16()
    if rows > columns:
        wide = wide.transpose(1, 2)
    wide = wide / wide.norm(dim=(1, 2), keepdim=True).clamp(min=SMALLEST_NORM)
    a, b, c = COEFFICIENTS
    for _ in range(NUM_ITERATIONS):
        gram = wide @ wide.transpose(1, 2)
        update = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        wide = torch.baddbmm(wide, update, wide, beta=a)
    return wide.transpose(1, 2) if rows > columns else wide


class BatchedMuon(torch.optim.Optimizer):
    """Muon with Nesterov momentum, scaled so that AdamW's learning rate suits it.

    The scale is that of Liu et al. 2025, "Muon is Scalable for LLM Training"; the same as torch.optim.Muon with
    `adjust_lr_fn="match_rms_adamw"`.
    """

    def __init__(self, matrices: list[torch.nn.Parameter], weight_decay: float) -> None:
        """Group the matrices by shape; the learning rate, a tensor, is set with `set_learning_rate`.

        A convolution's kernel counts as a matrix too: its rows are its output channels.
        """
        by_shape: dict[torch.Size, list[torch.nn.Parameter]] = {}
        for matrix in matrices:
            by_shape.setdefault(matrix.shape, []).append(matrix)
        rate = torch.tensor(0.0, device=matrices[0].device)
        super().__init__([{"params": same} for same in by_shape.values()], {"lr": rate, "weight_decay": weight_decay})
        for same in by_shape.values():
            flat = same[0].flatten(1).shape
            self.state[same[0]]["momentum"] = torch.zeros((len(same), *flat), device=same[0].device)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """Update every matrix from its gradient."""
        assert closure is None
        for group in self.param_groups:
            matrices, rate = group["params"], group["lr"]
            rows, columns = matrices[0].flatten(1).shape
            gradients = torch.stack([matrix.grad.flatten(1) for matrix in matrices])
            momentum = self.state[matrices[0]]["momentum"]
            momentum.lerp_(gradients, 1 - MOMENTUM)
            update = orthogonalise(gradients.lerp(momentum, MOMENTUM)).float() * (0.2 * sqrt(max(rows, columns)) * rate)
            torch._foreach_mul_(matrices, 1 - rate * group["weight_decay"])
            torch._foreach_sub_(matrices, [one.view(matrices[0].shape) for one in update.unbind()])
