"""A dry run looks, and leaves no trace in the results."""

import shutil
from pathlib import Path

from lib.batch.files import batch_file
from lib.core.failures import write_failure
from lib.core.marks import mark_path
from tests.conftest import ROOT
from tests.workflow.project import copy_project, run_snakemake, write_settings

CLIP = "star-crossing"


def _state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return time of change and content of everything below a folder."""
    found = {path: path.stat().st_mtime_ns for path in [folder, *folder.rglob("*")]}
    return {str(path): (time, path.read_bytes() if path.is_file() else b"") for path, time in found.items()}


def test_a_dry_run_changes_nothing_in_the_results(tmp_path: Path) -> None:
    """Nothing there before: nothing after. A run's results, with what a dead driver and a killed stage left: the same
    bytes and times. The refusal of one that finds nothing to edit writes nothing either."""
    copy_project(tmp_path)
    results, options = tmp_path / "results", ("--dry-run", "--quiet", "reason")
    write_settings(tmp_path, {"clips": "clips"})
    assert run_snakemake(tmp_path, *options).returncode == 1 and not results.exists()

    shutil.copytree(ROOT / "demo" / "clips" / CLIP, tmp_path / "clips" / CLIP)
    answer = run_snakemake(tmp_path, *options)
    assert answer.returncode == 0 and "extract_frames" in answer.stdout, answer.stdout
    assert not results.exists()
    assert list((tmp_path / ".snakemake" / "input_checks").iterdir()), "what was seen of the inputs is remembered"

    answer = run_snakemake(tmp_path, "--cores", "1", f"results/{CLIP}/blue-circle/first_frame.png")
    assert answer.returncode == 0, answer.stdout
    log = results / "logs" / CLIP / "blue-circle" / "generate.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("denoising step 1/2\n")
    mark_path(log).write_text('{"host": "dead", "pid": 1, "attempt": 1, "started": 0, "slurm_job": null, "log": "x"}')
    write_failure(log.with_name("caption.log"), "other", "of yesterday", 1, [])
    batch_file(results, "round").touch()
    before = _state(results)
    answer = run_snakemake(tmp_path, *options)
    assert answer.returncode == 0 and "caption" in answer.stdout, answer.stdout
    assert _state(results) == before
