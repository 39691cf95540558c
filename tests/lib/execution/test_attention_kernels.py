"""The attention kernel: chosen by its time, and not by noise."""

import pytest
import torch

from lib.execution import attention_kernels
from lib.execution.attention_kernels import FEWEST_TOKENS, KERNELS, PYTORCHS_OWN, choose_kernel, fastest_kernel


@pytest.mark.parametrize(
    ("cudnn", "flash", "chosen"),
    [(0.5, 2.0, "_native_cudnn"), (2.0, 0.85, "_native_flash"), (0.92, 2.0, PYTORCHS_OWN), (2.0, 2.0, PYTORCHS_OWN)],
)
def test_another_kernel_must_be_clearly_faster(cudnn: float, flash: float, chosen: str) -> None:
    """Within a tenth PyTorch's own choice stays: two runs on one machine must take the same kernel."""
    assert choose_kernel({PYTORCHS_OWN: 1.0, "_native_cudnn": cudnn, "_native_flash": flash}) == chosen


@pytest.mark.parametrize("training", [False, True])
def test_kernels_that_a_device_lacks_are_passed_over(training: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU has flash attention but not cuDNN's; it is timed for real, and what comes out is a kernel that runs."""
    tried: dict[str, float] = {}
    monkeypatch.setattr(attention_kernels, "choose_kernel", lambda seconds: tried.update(seconds) or PYTORCHS_OWN)
    monkeypatch.setattr(attention_kernels, "FEWEST_TOKENS", 64)
    fastest_kernel(64, 32, torch.bfloat16, torch.device("cpu"), training)
    assert {PYTORCHS_OWN, "_native_flash"} <= set(tried) < set(KERNELS)
    assert all(seconds > 0 for seconds in tried.values())


def test_short_clips_keep_what_pytorch_chooses() -> None:
    """Of so few tokens a kernel's time is mostly its launch."""
    assert fastest_kernel(FEWEST_TOKENS - 1, 32, torch.bfloat16, torch.device("cpu"), training=True) == PYTORCHS_OWN
