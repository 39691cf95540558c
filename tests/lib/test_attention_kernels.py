"""The attention kernel: chosen by its time, and not by noise."""

import pytest
import torch

from lib import attention_kernels
from lib.attention_kernels import KERNELS, PYTORCHS_OWN, choose_kernel, fastest_kernel


@pytest.mark.parametrize(
    ("cudnn", "flash", "chosen"),
    [(0.5, 2.0, "_native_cudnn"), (2.0, 0.9, "_native_flash"), (0.97, 2.0, PYTORCHS_OWN), (2.0, 2.0, PYTORCHS_OWN)],
)
def test_another_kernel_must_be_clearly_faster(cudnn: float, flash: float, chosen: str) -> None:
    """Within five percent PyTorch's own choice stays: two runs on one machine must take the same kernel."""
    assert choose_kernel({PYTORCHS_OWN: 1.0, "_native_cudnn": cudnn, "_native_flash": flash}) == chosen


@pytest.mark.parametrize("training", [False, True])
def test_kernels_that_a_device_lacks_are_passed_over(training: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU has flash attention but not cuDNN's; it is timed for real, and what comes out is a kernel that runs."""
    tried: dict[str, float] = {}
    monkeypatch.setattr(attention_kernels, "choose_kernel", lambda seconds: tried.update(seconds) or PYTORCHS_OWN)
    fastest_kernel(64, 32, torch.bfloat16, torch.device("cpu"), training)
    assert {PYTORCHS_OWN, "_native_flash"} <= set(tried) < {PYTORCHS_OWN, *KERNELS}
    assert all(seconds > 0 for seconds in tried.values())
