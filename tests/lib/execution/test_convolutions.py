"""Faster convolutions on the CPU must compute what torch's own compute."""

import copy

import pytest
import torch
from torch import nn

from lib.execution.convolutions import speed_up_convolutions


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
