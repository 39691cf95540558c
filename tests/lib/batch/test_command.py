"""What a driver tells Snakemake, and the names of its jobs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lib.batch.driver import snakemake_command
from lib.batch.files import Settings, job_prefix
from tests.conftest import ROOT
from tests.lib.core.hostile_yaml import HOSTILE, write_hostile


def _settings(results: Path, **changes: object) -> Settings:
    known = {"configfile": None, "own_results": None, "slurm": False, "slice_size": 1000, "options": []}
    return Settings(**{"results": str(results), "folder": str(results.parent), **known, **changes})  # type: ignore[arg-type]


def test_the_command_keeps_snakemakes_own_options(tmp_path: Path) -> None:
    """A results folder joins what the user gives in --config; SLURM's jobs carry the batch's prefix."""
    results = tmp_path / "my results"
    options = ["--cores", "2", "--config", "clips=there"]
    command = snakemake_command(_settings(results, own_results="my results", options=options, slurm=True))
    assert command[-5:] == ["--cores", "2", "--config", "results=my results", "clips=there"]
    assert command[command.index("--slurm-jobname-prefix") + 1] == job_prefix(results)
    assert job_prefix(results).startswith("edit-my-results-") and len(job_prefix(results)) < 50
    assert job_prefix(results) != job_prefix(tmp_path / "my-results")


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("own_results", [(), ("--results", "elsewhere")], ids=["", "results named"])
def test_settings_that_are_none_are_refused_in_seconds(kind: str, own_results: tuple[str, ...], tmp_path: Path) -> None:
    """Before Snakemake reads them, which would name no file and take all memory: a few lines, among them the file."""
    write_hostile(tmp_path / "mine.yaml", kind)
    command = [sys.executable, "-m", "lib.batch.command", "start", "--configfile", "mine.yaml", *own_results]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    answer = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=20)
    assert answer.returncode == 1 and not answer.stdout
    assert "mine.yaml" in answer.stderr and "Traceback" not in answer.stderr and len(answer.stderr) < 500
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]
