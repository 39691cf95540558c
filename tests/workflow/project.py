"""A copy of the project that tests may change, and Snakemake run in it for real."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lib.core.project import ROOT

COPIED = ("Snakefile", "batch", "config.yaml", "lib", "workflow", "envs")

SMALL = {
    "video": {"num_frames": 5, "width": 64, "height": 48},
    "caption": {"max_new_tokens": 4, "num_beams": 1},
    "training": {"decouple_steps": 3, "appearance_steps": 3, "rank": 2, "recoloured_copies": 1, "shared": "none"},
    "sampling": {"num_steps": 2},
    "model": {"device": "cpu"},  # the GPUs of the tests' SLURM are pretended, and one that was granted must work
}
"""Settings that make every stage real but short."""

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def copy_project(folder: Path) -> Path:
    """Copy the workflow and its library; link the models, which are not changed."""
    for name in COPIED:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, folder / name)
    (folder / "profiles").symlink_to("workflow/profiles")
    (folder / "demo").mkdir()
    (folder / "demo" / "models").symlink_to(ROOT / "demo" / "models")
    return folder


def write_settings(project: Path, settings: Mapping[str, Any]) -> None:
    """Write my.yaml: the small settings with changes laid over them."""
    merged = {section: dict(values) for section, values in SMALL.items()}
    for section, values in settings.items():
        merged[section] = {**merged.get(section, {}), **values} if isinstance(values, dict) else values
    (project / "my.yaml").write_text(yaml.safe_dump(merged, allow_unicode=True), encoding="utf-8")


def snakemake_command(*options: str) -> list[str]:
    """Return the command that a user types, but for this Python."""
    return [sys.executable, "-m", "snakemake", "--configfile", "my.yaml", *options]


def run_snakemake(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in a project; stdout and stderr together in stdout."""
    return subprocess.run(
        snakemake_command(*options),
        cwd=project,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )


def planned_jobs(project: Path) -> dict[str, int]:
    """Return the number of jobs by rule that a run would do now, `all` left out."""
    answer = run_snakemake(project, "--dry-run", "--quiet", "reason")
    assert answer.returncode == 0, answer.stdout
    if "Nothing to be done" in answer.stdout:
        return {}
    table = answer.stdout.split("Job stats:")[1].split("total")[0]
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE) if rule != "all"}
