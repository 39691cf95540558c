"""Jobs that fail or are killed: the rest goes on, the report tells, and a later run picks up."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from PIL import Image

from lib.video.probing import probe_video
from lib.video.reading import read_frames
from tests.workflow.finished_runs import CLIP, EDIT, LOG, OTHER_CLIP, copy_without, untrained_clip
from tests.workflow.project import planned_jobs, run_snakemake, snakemake_command, write_settings


@pytest.fixture
def project(two_clips: Path, tmp_path: Path) -> Path:
    """A batch of one clip, done up to its training."""
    return untrained_clip(two_clips, tmp_path / "batch")


def test_an_edit_of_nothing_is_told_before_any_job_and_made_once_it_is_mended(two_clips: Path, tmp_path: Path) -> None:
    """An unedited first frame: the run says so at once and in the report, makes the rest, and later just this one."""
    undone = ("*/*/mask_lora", "report", "metrics.csv", OTHER_CLIP, f"logs/{OTHER_CLIP}", f"benchmarks/{OTHER_CLIP}")
    project = copy_without(two_clips, tmp_path / "batch", *undone)
    bad = project / "clips" / OTHER_CLIP
    first_frame = bad / "edits" / "white-cross" / "first_frame.png"
    edited = first_frame.read_bytes()
    Image.fromarray(read_frames(bad / "source.mp4", [0])[0][0]).save(first_frame)

    answer = run_snakemake(project, "--cores", "2")
    assert answer.returncode == 0, answer.stdout
    told = f"clip '{OTHER_CLIP}', edit 'white-cross': first_frame.png: found no difference from source frame 0"
    assert told in answer.stdout and answer.stdout.index(told) < answer.stdout.index("Job stats")
    results = project / "results"
    assert (results / CLIP / EDIT / "mask_lora" / "edited.mp4").exists()
    assert "no difference from source frame 0" in (results / "report" / "index.html").read_text(encoding="utf-8")
    assert not (results / OTHER_CLIP).exists()

    first_frame.write_bytes(edited)
    jobs = planned_jobs(project)
    assert jobs["segment_masks"] == jobs["generate"] == jobs["report"] == 1


def test_one_hopeless_edit_never_stops_the_other_of_its_clip(project: Path) -> None:
    """Two edits of one clip, the mask of one held back for a look: the other is made, and the report says why not."""
    edits = project / "clips" / CLIP / "edits"
    shutil.copytree(edits / EDIT, edits / "sure")
    (edits / "sure" / "mask").mkdir()
    size = probe_video(edits.parent / "source.mp4")
    for index in range(5):
        white = Image.new("L", (size.width, size.height), 255)
        white.save(edits / "sure" / "mask" / f"{index:05d}.png")
    doubted = {"min_confidence": 0.99, "detector": None}
    write_settings(project, {"clips": "clips", "mask": {**doubted, "below_confidence": "hold"}})
    answer = run_snakemake(project, "--cores", "2")
    assert answer.returncode != 0
    results = project / "results"
    assert (results / CLIP / "sure" / "mask_lora" / "edited.mp4").exists()
    assert not (results / CLIP / EDIT / "mask_lora").exists()
    log = results / "logs" / CLIP / EDIT / "encode_edit.edit.log"
    assert str(log.relative_to(project)) in answer.stdout, "the error message must lead to the log"
    assert "held back for a look" in log.read_text().splitlines()[-1]
    page = (results / "report" / "index.html").read_text(encoding="utf-8")
    assert "held back for a look" in page
    for edit in (EDIT, "sure"):
        part = (results / "report" / "parts" / "edits" / CLIP / f"{edit}.js").read_text(encoding="utf-8")
        assert f"media/{CLIP}/{edit}/edit_mask.png" in part, "both sheets are there to see"

    write_settings(project, {"clips": "clips", "mask": {**doubted, "below_confidence": "flag"}})
    answer = run_snakemake(project, "--cores", "2")
    assert answer.returncode == 0, answer.stdout
    assert (results / CLIP / EDIT / "mask_lora" / "edited.mp4").exists()
    page = (results / "report" / "index.html").read_text(encoding="utf-8")
    assert "Look at 1 mask" in page and "held back" not in page


def command_line(process: psutil.Process) -> str:
    """Return the command of a process; empty if it has just ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_job_that_died_is_run_again_though_nothing_changed(project: Path) -> None:
    """A job killed as for lack of memory fails the run, which reports so; the next run takes it up again."""
    write_settings(project, {"clips": "clips", "training": {"decouple_steps": 5000}})
    command = snakemake_command("--cores", "2", "--retries", "0")
    with (project / "driver.log").open("w") as log:
        driver = subprocess.Popen(command, cwd=project, stdout=log, stderr=log)
    deadline = time.monotonic() + 300
    training: list[psutil.Process] = []
    while not training:
        assert driver.poll() is None and time.monotonic() < deadline, (project / "driver.log").read_text()
        children = psutil.Process(driver.pid).children(recursive=True)
        training = [child for child in children if "train_lora" in command_line(child)]
        time.sleep(0.2)
    training[-1].kill()
    assert driver.wait() != 0
    assert (project / "results" / "report" / "index.html").exists()
    jobs = planned_jobs(project)
    assert jobs["train_lora_decouple"] == jobs["generate"] == jobs["evaluate"] == jobs["report"] == 1


def test_killed_run_leaves_no_half_file_and_resumes(project: Path) -> None:
    """kill -9 of the whole run in mid-training: no partial result under a final name; the next run finishes."""
    write_settings(project, {"clips": "clips", "training": {"decouple_steps": 5000}})
    command = snakemake_command("--cores", "2")
    with (project / "driver.log").open("w") as log:
        driver = subprocess.Popen(command, cwd=project, stdout=log, stderr=log, start_new_session=True)
    lora = project / "results" / CLIP / "lora" / "edit"
    training_log = project / LOG
    deadline = time.monotonic() + 300
    while not (training_log.exists() and "step 1/5000, loss " in training_log.read_text()):
        assert driver.poll() is None and time.monotonic() < deadline, (project / "driver.log").read_text()
        time.sleep(0.2)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    assert not (lora / "decouple.safetensors").exists() and not (lora / "decouple.jsonl").exists()

    write_settings(project, {"clips": "clips"})
    assert run_snakemake(project, "--unlock").returncode == 0
    answer = run_snakemake(project, "--cores", "2")
    assert answer.returncode == 0, answer.stdout
    assert "extract frames" not in answer.stdout and "encode" not in answer.stdout, "what was whole is not made again"
    assert (lora / "decouple.safetensors").exists()
    assert planned_jobs(project) == {}
