"""The benchmark command, at a size for a CPU: every mode runs, and the table has its figures."""

import json
from pathlib import Path

import pytest

from demo.benchmark.__main__ import main
from demo.benchmark.architectures import WAN_14B
from demo.benchmark.rates import Rates, floors


def test_every_mode_runs_and_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A toy of the same architecture: one row a mode, with seconds above zero, printed and as JSON."""
    figures = tmp_path / "figures.json"
    main(["--tiny", "--frames", "5", "--size", "64x64", "--steps", "1", "--forwards", "1", "--json", str(figures)])
    written = json.loads(figures.read_text())
    assert [row["mode"] for row in written["rows"]] == ["plain", "fast", "balanced", "low"]
    assert all(row["step_s"] > 0 and row["forward_s"] > 0 for row in written["rows"])
    table = capsys.readouterr().out.split("\n\n")[-1].strip().splitlines()
    assert len(table) == 2 + 4 and table[0].startswith("| mode | weights |")


def test_floor_is_the_work_counted_by_hand() -> None:
    """At the rates of an H200: the figures of a forward pass and a step, with nothing computed twice."""
    forward, step = floors(WAN_14B, 20_280, Rates(700e12, 580e12, 580e12))
    assert forward == pytest.approx(1.28, abs=0.05)
    assert step == pytest.approx(3.4, abs=0.1)
