"""What a driver tells Snakemake, and the names of its jobs."""

from pathlib import Path

from lib.batch.driver import snakemake_command
from lib.batch.files import Settings, job_prefix


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
