"""The benchmark command, at a size for a CPU: every mode runs, and the table has its figures."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from demo.benchmark.__main__ import main
from demo.benchmark.architectures import WAN_14B
from demo.benchmark.rates import Rates, floors
from demo.benchmark.tables import compare_losses
from lib.models.wan.adapter import WanModel


def test_every_mode_runs_and_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A toy of the same architecture: one row a mode, with seconds above zero, printed and as JSON."""
    figures = tmp_path / "figures.json"
    main(["--tiny", "--frames", "5", "--size", "64x64", "--steps", "1", "--forwards", "1", "--json", str(figures)])
    written = json.loads(figures.read_text())
    assert [row["mode"] for row in written["rows"]] == ["plain", "fast", "balanced", "low"]
    assert all(row["step_s"] > 0 and row["forward_s"] > 0 for row in written["rows"])
    _, table, losses = capsys.readouterr().out.strip().split("\n\n")
    assert len(table.splitlines()) == 2 + 4 and table.startswith("| mode | weights |")
    assert losses.count("| +0 | +0 |") == 4, "in float32 and uncompiled all modes agree to the bit"
    assert all(len(row["losses"]) == 2 for row in written["rows"])


def test_noise_levels_share_a_step_and_a_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All passes are of a batch of three, and the loss is not that of one."""
    losses, sizes, predict = [], [], WanModel.predict_velocity

    def noted(model: WanModel, noisy_latents: torch.Tensor, *others: Any) -> torch.Tensor:
        sizes.append(len(noisy_latents))
        return predict(model, noisy_latents, *others)

    monkeypatch.setattr(WanModel, "predict_velocity", noted)
    for draws in ("1", "3"):
        figures = tmp_path / f"{draws}.json"
        size = ("--modes", "fast", "--tiny", "--frames", "5", "--size", "64x64", "--steps", "1", "--forwards", "1")
        main([*size, "--draws", draws, "--json", str(figures)])
        losses.append(json.loads(figures.read_text())["rows"][0]["losses"])
    assert sizes == [1] * 4 + [3] * 4 and losses[0] != losses[1]


def test_losses_are_compared_step_by_step() -> None:
    """Against the first row's: the mean difference, and the largest with its sign."""
    first, second = {"weights": "native", "losses": [1.0, 0.5]}, {"weights": "fp8", "losses": [1.1, 0.2]}
    table = compare_losses([{"mode": "fast", **row} for row in (first, second)])
    assert table.splitlines()[-1] == "| fast | fp8 | 2 | 1.10000 | 0.20000 | -0.1 | -0.3 |"


def test_floor_is_the_work_counted_by_hand() -> None:
    """At the rates of an H200: the figures of a forward pass and a step, with nothing computed twice."""
    forward, step = floors(WAN_14B, 20_280, Rates(700e12, 580e12, 580e12))
    assert forward == pytest.approx(1.28, abs=0.05)
    assert step == pytest.approx(3.4, abs=0.1)
