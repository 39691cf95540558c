"""Where a stage computes is where it was told to."""

import pytest
import torch

from lib.execution.devices import prepare_torch


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
