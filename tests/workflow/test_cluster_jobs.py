"""What a job on a cluster does for itself: it runs Snakemake anew, and must not look at the whole batch for that."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lib.core.failures import read_failure
from tests.conftest import ROOT
from tests.workflow.project import ENVIRONMENT, copy_project, write_settings

CLIP, EDIT = ROOT / "demo" / "clips" / "star-crossing", "blue-circle"
OF_EACH_JOB = (  # of what the executors for clusters write in each job's command
    *("--cores", "1", "--attempt", "1", "--force-use-threads", "--force", "--target-files-omit-workdir-adjustment"),
    *("--max-inventory-time", "0", "--nocolor", "--no-hooks", "--nolock", "--ignore-incomplete", "--mode", "remote"),
    *("--rerun-triggers", "mtime", "params", "input", "--executor", "local"),
)
SPREAD = 12  # file calls by which two runs may differ


def large_batch(project: Path, num_clips: int, as_sheet: bool = False) -> Path:
    """Set up a batch of one clip, many times: hard links in a folder, or rows of a sheet."""
    project.mkdir()
    copy_project(project)
    write_settings(project, {"clips": "clips.tsv" if as_sheet else "clips"})
    clips = [f"clip-{index:04d}" for index in range(num_clips)]
    first = shutil.copytree(CLIP, project / "clips" / clips[0])
    for clip in clips[1:]:
        shutil.copytree(first, project / "clips" / clip, copy_function=os.link)
    if as_sheet:
        with (project / "clips.tsv").open("w", newline="") as file:
            sheet = csv.writer(file, delimiter="\t", lineterminator="\n")
            sheet.writerow(["clip", "source", "edit", "first_frame"])
            for clip in clips:
                first_frame = f"clips/{clip}/edits/{EDIT}/first_frame.png"
                sheet.writerow([clip, f"clips/{clip}/source.mp4", EDIT, first_frame])
    return project


def run_job(project: Path, *targets: str) -> tuple[subprocess.CompletedProcess[str], int]:
    """Run a job as a cluster's node does; return its answer, and how often it touched files of the project."""
    rules = sorted({target.partition(":")[0] for target in targets})
    words = ["--target-jobs", *targets, "--allowed-rules", *rules, "--configfiles", str(project / "my.yaml")]
    count = project.with_suffix(".count")
    command = [sys.executable, "-m", "tests.workflow.counted_snakemake", str(count), *words, *OF_EACH_JOB]
    environment = {**ENVIRONMENT, "PYTHONPATH": str(ROOT)}
    answer = subprocess.run(
        command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600
    )
    return answer, int(count.read_text())


@pytest.mark.parametrize("as_sheet", [False, True], ids=["folder", "sheet"])
def test_a_job_touches_as_many_files_of_a_thousand_clips_as_of_a_hundred(tmp_path: Path, as_sheet: bool) -> None:
    """A real job of Snakemake's, in the mode of a cluster's node; as files that Python opens, lists or looks at."""
    counts = []
    for num_clips in (100, 1000):
        project = large_batch(tmp_path / str(num_clips), num_clips, as_sheet)
        answer, count = run_job(project, "extract_frames:clip=clip-0042")
        assert answer.returncode == 0, answer.stdout
        assert (project / "results" / "clip-0042" / "source_video.mkv").exists()
        counts.append(count)
    assert abs(counts[1] - counts[0]) <= SPREAD, counts


def test_a_job_of_several_clips_and_stages_makes_them_all(tmp_path: Path) -> None:
    """As where groups are joined to one SLURM job, `--group-components`."""
    project = large_batch(tmp_path / "batch", 3)
    targets = [f"extract_frames:clip=clip-{index:04d}" for index in (0, 2)]
    answer, _ = run_job(project, *targets, f"align_edit:clip=clip-0002,edit={EDIT}")
    assert answer.returncode == 0, answer.stdout
    made = sorted(path.relative_to(project / "results") for path in (project / "results").glob("clip*/**/*.mkv"))
    assert made == [Path("clip-0000/source_video.mkv"), Path("clip-0002/source_video.mkv")]
    assert (project / "results" / "clip-0002" / EDIT / "first_frame.png").exists()


def test_a_job_whose_clip_is_lost_says_what_has_become_of_it(tmp_path: Path) -> None:
    """The reason stands where status and report look for it; a clip that is gone altogether has one too."""
    project = large_batch(tmp_path / "batch", 3)
    (project / "clips" / "clip-0000" / "source.mp4").unlink()
    (project / "clips" / "clip-0002" / "source.mp4").unlink()
    shutil.rmtree(project / "clips" / "clip-0001")
    for clip, reason in (("clip-0000", "no source video"), ("clip-0001", "no usable clip 'clip-0001' any more")):
        answer, _ = run_job(project, f"extract_frames:clip={clip}")
        assert answer.returncode == 1
        failure = read_failure(project / "results" / "logs" / clip / "extract_frames.log")
        assert failure and failure.kind == "input" and reason in failure.reason
        assert "clip-0002" not in failure.reason
