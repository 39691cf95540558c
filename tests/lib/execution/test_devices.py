"""Faster convolutions on the CPU must compute what torch's own compute."""

import copy

import pytest
import torch
from torch import nn

from lib.execution.devices import prepare_torch, speed_up_convolutions


@pytest.mark.parametrize("padding_mode", ["zeros", "replicate"])
@pytest.mark.parametrize("padding", [0, (1, 0, 1), "same"])
def test_convolutions_compute_the_same(padding: int | tuple[int, int, int] | str, padding_mode: str) -> None:
    """Alike but for rounding; the weights stay where other code finds them."""
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv3d(3, 8, 3, padding=padding, padding_mode=padding_mode), nn.SiLU(), nn.Conv3d(8, 4, 1))
    fast = speed_up_convolutions(copy.deepcopy(plain))
    video = torch.randn(1, 3, 5, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(fast(video), plain(video), rtol=1e-5, atol=1e-6)
    assert fast.state_dict().keys() == plain.state_dict().keys()


def test_oneDNN_is_what_runs() -> None:  # noqa: N802 - the library's name
    """A batch of one with few values is what torch computes slowly by itself."""
    convolution = nn.Conv3d(4, 4, 3)
    video = torch.randn(1, 4, 5, 16, 16)
    assert _operations(convolution, video) == {"slow"}
    assert _operations(speed_up_convolutions(convolution), video) == {"oneDNN"}


def _operations(module: nn.Module, video: torch.Tensor) -> set[str]:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile, torch.no_grad():
        module(video)
    kinds = {"aten::slow_conv3d_forward": "slow", "aten::mkldnn_convolution": "oneDNN"}
    return {kinds[event.key] for event in profile.key_averages() if event.key in kinds}


@pytest.mark.parametrize(
    "granted", [{"CUDA_VISIBLE_DEVICES": "0"}, {"SLURM_JOB_GPUS": "3"}, {"CUDA_VISIBLE_DEVICES": "GPU-5a1e"}]
)
@pytest.mark.skipif(torch.cuda.is_available(), reason="the GPU of this machine can be used")
def test_a_gpu_that_was_granted_and_cannot_be_used_is_an_error(
    granted: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The 14B model on a CPU would burn the whole allocation, and each retry again."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name, value in granted.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RuntimeError, match="a GPU that cannot be used: .*model.device: cpu"):
        prepare_torch("auto", "auto", 1)
    assert prepare_torch("cpu", "auto", 1)[0].type == "cpu"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert prepare_torch("auto", "auto", 1)[0].type == "cpu", "hidden on purpose"
