"""./batch prepare for real: everything before the first training and its page, then only what was approved."""

import shutil
import subprocess
import sys
from pathlib import Path

from lib.core.files import read_json
from tests.workflow.project import ENVIRONMENT, copy_project, write_settings

ROOT = Path(__file__).parents[2]


def batch(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ./batch in a project, to its end."""
    return subprocess.run(
        ["./batch", *words], cwd=project, env=ENVIRONMENT, capture_output=True, text=True, timeout=900
    )


def test_prepare_trains_nothing_and_start_makes_what_was_approved(tmp_path: Path) -> None:
    """A broken edit is told on the page; of the others one is approved, and it alone is made."""
    project = copy_project(tmp_path)
    (project / ".venv").symlink_to(sys.prefix)
    clips = project / "clips"
    clips.mkdir()
    for clip in ("turning square", "star-crossing"):
        shutil.copytree(ROOT / "demo" / "clips" / clip, clips / clip)
    write_settings(project, {"clips": "clips"})
    prepared = batch(project, "prepare", "--configfile", "my.yaml", "--", "--cores", "2")
    assert prepared.returncode == 0, prepared.stdout + prepared.stderr
    results = project / "results"
    page = (results / "prepare.html").read_text("utf-8")
    assert all(name in page for name in ("gold-ring", "pink-star", "blue-circle"))
    assert not list(results.rglob("*.safetensors")), "nothing is encoded or trained yet"
    assert batch(project, "approve", "turning square/gold-ring").returncode == 0
    started = batch(
        project, "start", "--configfile", "my.yaml", "--approved-only", "--foreground", "--", "--cores", "2"
    )
    assert started.returncode == 0, started.stdout + started.stderr
    made = [path.parts[-3] for path in results.glob("*/*/*/edited.mp4")]
    assert made == ["gold-ring"]
    assert "not approved" in (results / "report" / "index.html").read_text("utf-8")
    plan = read_json(results / ".batch" / "plan.json")
    assert plan["num_problems"] == 2 and len(plan["expected"]) == 1
