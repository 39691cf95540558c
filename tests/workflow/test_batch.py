"""./batch from another shell: it outlives its terminal, resumes after any end, and one bad clip fails alone."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest
import yaml

from lib.batch.driver import LEAST_FREE
from lib.config.settings import load_config
from lib.core.units import GIB
from lib.inputs.clips import find_clips
from lib.inputs.disk import bytes_for_a_while, bytes_to_come
from lib.inputs.layout import Layout
from tests.conftest import ROOT
from tests.workflow.finished_runs import CLIP, EDIT, LORA, untrained_clip
from tests.workflow.project import copy_project, run_snakemake, write_settings

GOOD = ROOT / "demo" / "clips" / CLIP
SPARE = LEAST_FREE + 2**20  # bytes that a batch on a small disk leaves free: a driver stops below the first
SLACK = 2**16  # bytes, a few blocks of the disk
CAPTIONS = f"results/{CLIP}/{EDIT}/caption.json"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project with the clip star-crossing; a driver that a failed test left is ended."""
    copy_project(tmp_path)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    shutil.copytree(GOOD, tmp_path / "clips" / CLIP)
    write_settings(tmp_path, {"clips": "clips"})
    yield tmp_path
    batch(tmp_path, "stop")


@pytest.fixture
def untrained(two_clips: Path, tmp_path: Path) -> Iterator[Path]:
    """The same with all done up to the training."""
    project = untrained_clip(two_clips, tmp_path / "batch")
    write_settings(project, {"clips": "clips"})
    (project / ".venv").symlink_to(sys.prefix)
    yield project
    batch(project, "stop")


def batch(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ./batch; stdout and stderr together in stdout."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "timeout": 300}
    return subprocess.run(["./batch", *words], cwd=project, env=environment, **how)  # type: ignore[call-overload, no-any-return]


def text_of(log: Path) -> str:
    """Return what a log says; nothing while it is not there: an attempt begins with a new one."""
    return log.read_text() if log.exists() else ""


def driver_of(project: Path) -> dict[str, object]:
    """Return what the driver says of itself."""
    known: dict[str, object] = json.loads((project / "results" / ".batch" / "driver.json").read_text())
    return known


def wait_for(happened: Callable[[], bool], project: Path) -> None:
    """Wait until something happened, a few minutes at most."""
    deadline = time.monotonic() + 240
    while not happened():
        log = project / "results" / ".batch" / "driver.log"
        assert time.monotonic() < deadline, text_of(log)
        time.sleep(0.1)


def wait_for_end(project: Path) -> dict[str, object]:
    """Wait until the driver has ended of its own; return its last word."""
    wait_for(lambda: "ended" in driver_of(project), project)
    return driver_of(project)


def processes_of(project: Path) -> list[psutil.Process]:
    """Return what runs for a project."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(project) in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_a_batch_is_stopped_killed_and_resumed_with_one_driver_at_a_time(untrained: Path) -> None:
    """A second start and a bare Snakemake are refused; stop saves the training's step; kill -9 leaves an orphan that
    the next start ends before it goes on; nothing of the batch is left at the end."""
    project = untrained
    write_settings(project, {"clips": "clips", "training": {"decouple_steps": 100_000}})
    log = project / "results" / "logs" / CLIP / "train_lora_decouple.edit.log"
    answer = batch(project, "start", "--configfile", "my.yaml", "--", "--cores", "2", LORA)
    assert answer.returncode == 0 and "driver.log" in answer.stdout, answer.stdout
    wait_for(lambda: "step 1/" in text_of(log), project)

    refused = batch(project, "start", "--configfile", "my.yaml")
    assert refused.returncode == 1 and f"process {driver_of(project)['pid']}" in refused.stdout, refused.stdout
    assert "a driver at work" in run_snakemake(project, "--cores", "1", "--nolock", LORA).stdout
    status = batch(project, "status").stdout
    assert "0 done, 1 running" in status and f"{CLIP}/train_lora_decouple.edit: step " in status, status

    assert batch(project, "stop").returncode == 0
    assert "a new run goes on from there" in log.read_text().splitlines()[-1]
    assert not processes_of(project)
    assert "0 done, 0 running, 1 waiting, 0 failed" in batch(project, "status").stdout

    assert batch(project, "resume").returncode == 0
    wait_for(lambda: "goes on after step" in text_of(log), project)
    pid = driver_of(project)["pid"]
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not psutil.pid_exists(pid), project)
    orphans = [process for process in processes_of(project) if "train_lora" in " ".join(process.cmdline())]
    assert orphans, "the training goes on alone"
    assert "The driver died" in batch(project, "status").stdout

    write_settings(project, {"clips": "clips"})  # three steps
    assert batch(project, "resume").returncode == 0
    assert wait_for_end(project)["exit_code"] == 0
    assert not any(process.is_running() for process in orphans)
    assert "that an earlier driver had left" in (project / "results" / ".batch" / "driver.log").read_text()
    assert (project / LORA).exists()
    wait_for(lambda: not processes_of(project), project)


def test_a_bad_clip_fails_alone_in_its_slice_and_is_retried_alone(untrained: Path) -> None:
    """A clip that is damaged after it was looked at: the other, in a later slice, is made; status, report and retry
    know the bad one; a finished batch is left alone until something changes."""
    project = untrained
    bad = project / "clips" / "bad"
    shutil.copytree(GOOD, bad)
    assert run_snakemake(project, "--dry-run", "--quiet", "all").returncode == 0  # the inputs are known to be whole
    whole = bad / "source.mp4"
    content, times = whole.read_bytes(), whole.stat()
    whole.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))
    os.utime(whole, ns=(times.st_atime_ns, times.st_mtime_ns))

    answer = batch(project, "start", "--configfile", "my.yaml", "--slice", "1", "--foreground")
    assert answer.returncode == 1 and "1 clips are left to plan" in answer.stdout, answer.stdout
    results = project / "results"
    assert (results / CLIP / EDIT / "mask_lora" / "edited.mp4").exists()
    failure = json.loads((results / "logs" / "bad" / "extract_frames.failure.json").read_text())
    assert (failure["kind"], failure["attempt"]) == ("input", 1) and "source.mp4" in failure["reason"]
    assert "not tried again, since a retry cannot help" in answer.stdout
    page = (results / "report" / "index.html").read_text(encoding="utf-8")
    assert "./batch retry" in page and "since a retry cannot help" in page
    status = batch(project, "status").stdout
    assert "1 done, 0 running, 0 waiting, 1 failed" in status and "source.mp4" in status, status

    whole.write_bytes(content)
    answer = batch(project, "retry", "--foreground")
    assert answer.returncode == 0 and f"extract frames: {CLIP}" not in answer.stdout, answer.stdout
    assert not list((results / "logs").rglob("*.failure.json"))
    assert "2 done" in batch(project, "status").stdout
    assert "./batch retry" not in (results / "report" / "index.html").read_text(encoding="utf-8")
    answer = batch(project, "resume", "--foreground")
    assert answer.returncode == 0 and "extract_frames" not in answer.stdout, answer.stdout
    assert "\nreport" not in answer.stdout, "nothing is new to tell"


def test_a_clip_folder_that_vanishes_in_mid_run_fails_with_its_reason(project: Path) -> None:
    """Its jobs end with what is missing, the other clip goes on, and the next run picks up what is there."""
    gone = project / "clips" / "gone"
    shutil.copytree(GOOD, gone)
    targets = [f"results/{name}/{EDIT}/first_frame.png" for name in (CLIP, "gone")]
    answer = batch(project, "start", "--configfile", "my.yaml", "--", "--cores", "1", *targets)
    assert answer.returncode == 0, answer.stdout
    driver_log = project / "results" / ".batch" / "driver.log"
    wait_for(lambda: "Job stats" in text_of(driver_log), project)  # planned: what is gone before is told as an input
    shutil.rmtree(gone)
    assert wait_for_end(project)["exit_code"] == 1
    assert (project / targets[0]).exists()
    status = batch(project, "status").stdout
    assert "1 failed" in status and str(Path("clips") / "gone") in status, status


def _mount(folder: Path, *options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)], check=True)


@pytest.fixture
def small_disk(project: Path) -> Iterator[Path]:
    """A disk of its own for results, of 64 MiB."""
    folder = project / "results"
    folder.mkdir()
    try:
        _mount(folder, "size=64m")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a disk can be mounted by root alone: {error}")
    yield folder
    batch(project, "stop")
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_fills_up_stops_the_batch_once_and_is_taken_up(project: Path, small_disk: Path) -> None:
    """No room in mid-run: one clear word, no half file; with room again the same batch is finished."""
    write_settings(project, {"clips": "clips", "min_free_disk": 0})
    filler = small_disk / "filler"
    answer = batch(project, "start", "--configfile", "my.yaml", "--", "--cores", "1", CAPTIONS)
    assert answer.returncode == 0, answer.stdout
    with filler.open("wb") as content:  # until nothing more fits
        try:
            while True:
                content.write(bytes(2**16))
                content.flush()
        except OSError:
            pass
    assert "full disk: make room" in str(wait_for_end(project)["outcome"])
    assert not (project / CAPTIONS).exists() and not list(small_disk.rglob("*.partial*"))
    filler.unlink()
    assert batch(project, "resume", "--foreground").returncode == 0
    assert (project / CAPTIONS).exists()


def test_a_resume_needs_room_for_what_is_left_alone(project: Path, small_disk: Path) -> None:
    """One clip of three is made, then the disk holds what the other two need and not the first again: they are made.

    With less than they need nothing is started, and that is told.
    """
    others = [f"take-{number}" for number in range(2)]  # after it in the order of names
    for name in others:
        shutil.copytree(GOOD, project / "clips" / name)
    write_settings(project, {"clips": "clips", "results": str(small_disk), "min_free_disk": SPARE / GIB})
    assert batch(project, "start", "--configfile", "my.yaml", "--slice", "1", "--", "--cores", "1").returncode == 0
    wait_for((small_disk / ".batch" / "finished.json").exists, project)
    assert batch(project, "stop").returncode == 0
    made = (small_disk / CLIP / EDIT / "mask_lora" / "edited.mp4").stat().st_mtime_ns

    whole, left = _needed(project, [CLIP, *others], "nowhere"), _needed(project, others, str(small_disk))
    assert not (small_disk / others[1]).exists() and left + 2 * SLACK < whole
    used = shutil.disk_usage(small_disk).used + LEAST_FREE + SPARE  # the driver's ballast, and what is to stay free
    _mount(small_disk, "remount", f"size={used + left // 2}")
    answer = batch(project, "resume", "--foreground")
    assert answer.returncode == 1 and "GiB of free disk; expected" in answer.stdout, answer.stdout
    assert "extract frames" not in answer.stdout and "nothing was started" in answer.stdout
    assert not (small_disk / others[1]).exists()

    _mount(small_disk, "remount", f"size={used + left + SLACK}")
    answer = batch(project, "resume", "--foreground")
    assert answer.returncode == 0, answer.stdout
    assert (small_disk / CLIP / EDIT / "mask_lora" / "edited.mp4").stat().st_mtime_ns == made
    assert all((small_disk / name / EDIT / "mask_lora" / "edited.mp4").exists() for name in others)


def _needed(project: Path, names: Sequence[str], results: str) -> int:
    """Return the bytes that some clips still need, one training at a time."""
    settings = load_config(yaml.safe_load((project / "my.yaml").read_text()), project)
    found = find_clips(project / "clips", num_frames=settings.video.num_frames, start=0, stride=1).clips
    clips, layout = [clip for clip in found if clip.id in names], Layout(results, settings.mask.shape, None)
    return bytes_to_come(settings, layout, clips, []) + bytes_for_a_while(settings, layout, clips, 1)


def test_a_read_only_results_folder_is_refused_before_any_work(project: Path, small_disk: Path) -> None:
    """Both ways to start say that the folder cannot be written to; nothing runs."""
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    answer = batch(project, "start", "--configfile", "my.yaml")
    assert answer.returncode == 1 and "cannot be written to" in answer.stdout and "Traceback" not in answer.stdout
    bare = run_snakemake(project, "--cores", "1")
    assert bare.returncode == 1 and "no permission to write" in bare.stdout, bare.stdout
