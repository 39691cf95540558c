"""Videos of other tools are measured and shown beside ours; one that changes is measured again, and nothing else."""

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lib.core.files import file_hash, read_json
from lib.video.reading import read_video
from lib.video.writing import write_viewable
from tests.workflow.finished_runs import CLIP, EDIT, NUM_STEPS, OTHER_CLIP
from tests.workflow.project import ENVIRONMENT, planned_jobs, run_snakemake, write_settings

TOOL, HALF = "outside_tool", "outside_half-the-frames"
OTHER_EDIT = "white-cross"
MEASURED_AGAIN = {"align_outside": 1, "evaluate_outside": 1, "report": 1}
PATTERNS = {"tool": "others/{clip}--{edit}.mp4"}
SETTINGS = {"clips": "clips", "training": {"decouple_steps": NUM_STEPS}, "outside_methods": PATTERNS}


@pytest.fixture(scope="module")
def finished(two_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished batch, to which one tool's videos are added by a pattern, and another's beside an edit."""
    project = shutil.copytree(two_clips, tmp_path_factory.mktemp("outside") / "batch", symlinks=True)
    assert planned_jobs(project) == {}, "the batch is finished without them"
    (project / "others").mkdir()
    beside = project / "clips" / CLIP / "edits" / EDIT / "outside"
    beside.mkdir()
    for clip, edit in ((CLIP, EDIT), (OTHER_CLIP, OTHER_EDIT)):
        source = read_video(project / "results" / clip / "source_video.mkv")
        _write(project / "others" / f"{clip}--{edit}.mp4", 255 - source, rate=8)
        if clip == CLIP:
            _write(beside / "half-the-frames.mp4", source[::2], rate=_rate_of(project) / 2)
    write_settings(project, SETTINGS)
    assert planned_jobs(project) == {"align_outside": 3, "evaluate_outside": 3, "report": 1}
    answer = run_snakemake(project, "--cores", "2")
    assert answer.returncode == 0, answer.stdout
    assert "Outside video of clip" in answer.stdout and "measured at 3 of 5 frames" in answer.stdout
    return project


@pytest.fixture
def batch(finished: Path) -> Iterator[Path]:
    """The finished batch; a test may change its videos and settings, which are put back."""
    kept = {path: (path.read_bytes(), path.stat()) for path in finished.glob("others/*.mp4")}
    yield finished
    for path, (content, status) in kept.items():
        path.write_bytes(content)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    write_settings(finished, SETTINGS)


def _rate_of(project: Path) -> float:
    return float(read_json(project / "results" / CLIP / "source_video.json")["fps"])


def _write(path: Path, video: np.ndarray, rate: float) -> None:
    write_viewable(path, video, [index / rate for index in range(len(video))], crf=0)


def _batch(project: Path, verb: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lib.batch.command", verb, "--results", "results", *options]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, env=ENVIRONMENT)


def test_videos_of_other_tools_are_methods(finished: Path) -> None:
    """In the place of ours, of the clip's size and length, with the same metrics; nothing was trained for them."""
    results = finished / "results"
    source, made = (
        read_video(path) for path in (results / CLIP / "source_video.mkv", results / CLIP / EDIT / TOOL / "edited.mkv")
    )
    assert made.shape == source.shape and np.abs(made.astype(int) - (255 - source)).mean() < 6
    ours, tool, half = (
        read_json(results / CLIP / EDIT / name / "metrics.json")["rows"]["edited"] for name in ("mask_lora", TOOL, HALF)
    )
    assert (
        ours["mean"].keys() == tool["mean"].keys() and tool["mean"]["background_psnr"] < ours["mean"]["background_psnr"]
    )
    assert [value is not None for value in half["per_frame"]["background_psnr"]] == [True, False, True, False, True]
    # Frames that were matched wrongly would differ as much as neighbours of the source do, and it was encoded twice.
    neighbours = 10 * np.log10(255**2 / np.square(np.diff(source.astype(float), axis=0)).mean())
    assert half["mean"]["warp_error"] is None and half["mean"]["background_psnr"] > max(30, neighbours + 5), neighbours
    assert not list(results.glob(f"*/*/{TOOL}/lora")) and (results / CLIP / EDIT / TOOL / "edited.mp4").exists()
    assert planned_jobs(finished) == {}


def test_report_and_table_show_them_beside_ours(finished: Path) -> None:
    """Under the name that people gave, with what was done to them."""
    results = finished / "results"
    with (results / "metrics.csv").open(newline="") as content:
        lines = [line for line in csv.DictReader(content) if line["row"] == "edited"]
    assert {(line["method"], line["method_name"]) for line in lines} == {
        ("mask_lora", "mask_lora"), (TOOL, "tool"), (HALF, "half-the-frames"),
    }  # fmt: skip
    assert "tool (outside)" in (results / "report" / "index.html").read_text(encoding="utf-8")
    part = (results / "report" / "parts" / "edits" / CLIP / f"{EDIT}.js").read_text(encoding="utf-8")
    assert "half-the-frames (outside):" in part and "measured at 3 of 5 frames" in part
    assert "5 of 5" in _batch(finished, "status").stdout


def test_tables_compare_them_with_ours(finished: Path) -> None:
    """One command, three files; the method that one clip alone has is left out when it is asked so."""
    answer = _batch(finished, "tables", "--methods", "mask_lora", "tool", "--name", "two")
    assert answer.returncode == 0, answer.stderr
    assert "what all compared methods have (clips: 2, edits: 2)" in answer.stdout
    assert "clip-tiny" in answer.stdout and "| tool |" in answer.stdout
    assert {path.name for path in (finished / "results" / "tables").iterdir()} == {"two.md", "two.tex", "two.csv"}
    wrong = _batch(finished, "tables", "--ours", "tol")
    assert wrong.returncode == 1 and "expected 'tool'" in wrong.stderr


@pytest.mark.parametrize("is_older", [False, True], ids=["newer", "older"])
def test_a_changed_video_is_measured_again_and_nothing_else(batch: Path, is_older: bool) -> None:
    """Also one that is older than what was made of the one before, as from an archive."""
    path = batch / "others" / f"{CLIP}--{EDIT}.mp4"
    before = path.stat()
    _write(path, read_video(batch / "results" / CLIP / "source_video.mkv"), rate=8)
    if is_older:
        os.utime(path, (before.st_atime - 9999, before.st_mtime - 9999))
    assert planned_jobs(batch) == MEASURED_AGAIN


def test_another_matching_is_measured_again_and_nothing_else(batch: Path) -> None:
    """A step in the settings, for the video whose frames it moves."""
    write_settings(
        batch, {**SETTINGS, "outside_methods": {**SETTINGS["outside_methods"], "half-the-frames": {"step": 1}}}
    )
    assert planned_jobs(batch) == MEASURED_AGAIN


def test_a_slip_in_a_pattern_starts_nothing(batch: Path) -> None:
    """And a video that cannot be matched is left out, told with its clip and edit."""
    write_settings(batch, {**SETTINGS, "outside_methods": {"tool": "oters/{clip}--{edit}.mp4"}})
    refused = run_snakemake(batch, "--dry-run")
    assert refused.returncode != 0 and "outside_methods.tool: found no video of any edit at oters/" in refused.stdout
    write_settings(batch, SETTINGS)
    video = batch / "others" / f"{CLIP}--{EDIT}.mp4"
    _write(video, read_video(batch / "results" / CLIP / "source_video.mkv")[:3], rate=100)
    left_out = run_snakemake(batch, "--dry-run")
    assert left_out.returncode == 0
    assert f"clip '{CLIP}', edit '{EDIT}': " in left_out.stdout
    assert "a video of 3 frames at 100 per second" in left_out.stdout


def test_outside_methods_are_measured_alone(finished: Path, tmp_path: Path) -> None:
    """`methods: []`: frames, masks and measures of the clips, no caption, no training, no generation."""
    project = shutil.copytree(finished, tmp_path / "batch", symlinks=True, ignore=shutil.ignore_patterns("results"))
    write_settings(project, {**SETTINGS, "methods": []})
    jobs = planned_jobs(project)
    assert jobs["evaluate_outside"] == 3 and not [
        rule for rule in jobs if rule.startswith(("caption", "encode", "train", "generate"))
    ]
    answer = run_snakemake(project, "--cores", "2")
    assert answer.returncode == 0, answer.stdout
    video = f"results/{CLIP}/{EDIT}/{TOOL}/edited.mkv"
    assert file_hash(project / video) == file_hash(finished / video)
