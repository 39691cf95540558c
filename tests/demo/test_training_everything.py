"""All trainings by one command: side by side, each with a log; what is finished is not made again."""

import argparse
import sys
from pathlib import Path

import pytest

from demo.training.everything import Training, command_of, plan, run_side_by_side

GIVEN = argparse.Namespace(vae_seconds=30.0, transformer_seconds=60.0, heads=6, layers=8, rate=1.5e-3)


def test_the_large_trainings_share_all_gpus(tmp_path: Path) -> None:
    """The small ones have one each; then comes the VAE, and the transformer when that is there."""
    small, (vae,), (transformer,) = plan(tmp_path, 4, GIVEN)
    assert [one.module for one in small] == ["clip", "captioner", "detector"]
    assert [one.gpu for one in small] == [0, 1, 2] and vae.num_gpus == transformer.num_gpus == 4
    command = command_of(transformer, tmp_path / "work", num_workers=16)
    assert command[:2] == [sys.executable, "-m"] and "--nproc-per-node=4" in command
    assert command[command.index("--workers") + 1] == "4" and command[command.index("--heads") + 1] == "6"
    alone = command_of(plan(tmp_path, 0, GIVEN)[-1][0], tmp_path, 3)
    assert alone[:3] == [sys.executable, "-m", "demo.training.transformer"]


def test_each_has_a_log_and_one_that_fails_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The others go on; a finished one is not begun."""
    (tmp_path / "made").touch()
    missing = tmp_path / "missing"
    good, bad, done = (
        Training("muon", missing, ()),  # a module without a command: it does nothing, well
        Training("no_such_training", missing, ()),
        Training("vae", tmp_path / "made", ()),
    )
    assert run_side_by_side([good, done], tmp_path / "work", 1)
    assert not run_side_by_side([bad, good], tmp_path / "work", 1)
    told = capsys.readouterr().out
    assert "vae: finished before" in told and "muon: finished" in told and "no_such_training: failed with 1" in told
    assert "No module named" in (tmp_path / "work" / "no_such_training.log").read_text()
