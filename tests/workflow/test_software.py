"""What jobs run in: the container image that a run names, and the image that envs/Dockerfile makes."""

import os
import re
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.workflow import project as projects
from tests.workflow.project import copy_project, run_snakemake, write_settings

PREVIEW = "results/star-crossing/source_preview.mp4"
APPTAINER = """#!/bin/sh
# Stands in for apptainer: notes how it is called and runs the last word, the command, on this machine.
[ "$1" = --version ] && { echo apptainer version 1.3.0; exit; }
echo "$@" >> "$NOTES"
for last; do :; done
exec bash -c "$last"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project and a program that takes the place of apptainer, which no package of this system holds."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "project").mkdir()
    apptainer = tmp_path / "bin" / "apptainer"
    apptainer.write_text(APPTAINER, encoding="utf-8")
    apptainer.chmod(0o755)
    project = copy_project(tmp_path / "project")
    programs = (str(apptainer.parent), str(Path(sys.executable).parent), os.environ["PATH"])
    changes = {"PATH": os.pathsep.join(programs), "NOTES": str(tmp_path / "notes")}
    changes["PYTHONPATH"] = str(project)  # in the stead of what apptainer mounts
    monkeypatch.setattr(projects, "ENVIRONMENT", {**projects.ENVIRONMENT, **changes})
    return project


def test_jobs_run_in_the_image_that_the_run_names(project: Path, tmp_path: Path) -> None:
    """With --sdm apptainer each script runs in the setting's image; without it in none."""
    (project / "editing.sif").touch()
    write_settings(project, {"clips": str(ROOT / "demo" / "clips"), "container": "editing.sif"})
    answer = run_snakemake(project, "--cores", "1", "--sdm", "apptainer", "--", PREVIEW)
    assert answer.returncode == 0, answer.stdout
    assert (project / PREVIEW).stat().st_size > 0
    notes = (tmp_path / "notes").read_text()
    assert " editing.sif " in notes and "python" in notes
    (tmp_path / "notes").unlink()
    assert run_snakemake(project, "--cores", "1", "--forcerun", "--", PREVIEW).returncode == 0
    assert not (tmp_path / "notes").exists()


def test_a_container_run_without_an_image_is_refused(project: Path) -> None:
    """Snakemake would quietly run the jobs outside any container."""
    write_settings(project, {"clips": str(ROOT / "demo" / "clips")})
    answer = run_snakemake(project, "--cores", "1", "--sdm", "apptainer", "--", PREVIEW)
    assert answer.returncode == 1
    assert "container: found null, with --sdm apptainer; expected an image" in answer.stdout


def test_the_image_installs_what_make_installs() -> None:
    """envs/Dockerfile names no package: it runs `make install` with the files that this reads, and copies the rest."""
    dockerfile = (ROOT / "envs" / "Dockerfile").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    copied = re.findall(r"^COPY (\S+) \./(?:\S*)$", dockerfile.split("RUN make install")[0], re.MULTILINE)
    installing = makefile.split("$(VENV)/installed:")[1].split("$(VENV)/installed-dev:")[0]
    read = re.findall(r"[\w-]+/[\w.-]+\.txt", installing)
    assert set(read) == {"envs/requirements.txt", "envs/constraints.txt"}
    assert {"Makefile", *(path.split("/")[0] for path in read)} <= set(copied)
    assert "pip install" not in dockerfile
    environment = (ROOT / "envs" / "prepare.yaml").read_text(encoding="utf-8")
    assert f"FROM python:{re.search(r'python=([0-9.]+)', environment)[1]}-" in dockerfile
    assert re.search(r"^ENV PATH=/app/\.venv/bin:\$PATH$", dockerfile, re.MULTILINE), "Snakemake asks for `python`"
    entry = re.search(r'^ENTRYPOINT \["/app/(\w+)"\]$', dockerfile, re.MULTILINE)[1]
    assert os.access(ROOT / entry, os.X_OK)
