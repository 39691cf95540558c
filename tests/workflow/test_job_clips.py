"""A cluster reads the workflow anew for each job: what that asks the disk for does not grow with the batch."""

import shutil
import subprocess
from pathlib import Path

from tests.conftest import ROOT
from tests.workflow.project import ENVIRONMENT, copy_project, run_snakemake, snakemake_command, write_settings

WATCH = """
import os, sys

def note(event, given):
    if event in ("open", "os.scandir", "os.listdir") and "clips/" in str(given[0]):
        with os.fdopen(os.open(os.environ["SEEN"], os.O_WRONLY | os.O_APPEND | os.O_CREAT), "w") as seen:
            seen.write(f"{given[0]}\\n")

sys.addaudithook(note)
"""
OWN, OTHERS = "star-crossing", ("portrait-drop", "turning square")


def test_a_job_opens_and_lists_its_own_clip_alone(tmp_path: Path) -> None:
    """Run as Snakemake's SLURM plugin runs it; every file that Python opens is written down."""
    copy_project(tmp_path)
    for clip in (OWN, *OTHERS):
        shutil.copytree(ROOT / "demo" / "clips" / clip, tmp_path / "clips" / clip)
    write_settings(tmp_path, {"clips": "clips"})
    assert run_snakemake(tmp_path, "--dry-run", "--quiet").returncode == 0, "what a driver sees first"
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch" / "sitecustomize.py").write_text(WATCH)
    job = ("--mode", "remote", "--target-jobs", f"extract_frames:clip={OWN}", "--allowed-rules", "extract_frames")
    command = snakemake_command("--cores", "1", "--nolock", "--force-use-threads", *job)
    environment = {**ENVIRONMENT, "PYTHONPATH": str(tmp_path / "watch"), "SEEN": str(tmp_path / "seen")}
    answer = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert (tmp_path / "results" / OWN / "source_video.mkv").exists()
    seen = (tmp_path / "seen").read_text().splitlines()
    assert any(OWN in path for path in seen)
    assert not [path for path in seen if any(other in path for other in OTHERS)]
