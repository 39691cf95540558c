"""The proof that a batch can be repeated to the byte: a training that is stopped, then killed, then left alone."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.workflow.finished_runs import CLIP, EDIT, EVERYTHING, LOG, LORA, NUM_STEPS, STATE, copy_without, finals
from tests.workflow.project import run_snakemake, snakemake_command

METRICS = f"results/{CLIP}/{EDIT}/mask_lora/metrics.json"


def _start(project: Path) -> subprocess.Popen[bytes]:
    """Start the run in a session of its own."""
    with (project / "driver.log").open("w") as log:
        command = snakemake_command("--cores", "2", "--retries", "0", METRICS)
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, cwd=project, stdout=log, stderr=log, start_new_session=True, env=environment)


def _wait(driver: subprocess.Popen[bytes], project: Path, happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not happened():
        assert driver.poll() is None and time.monotonic() < deadline, (project / "driver.log").read_text()
        time.sleep(0.05)


def _trainings(driver: subprocess.Popen[bytes]) -> list[psutil.Process]:
    children = psutil.Process(driver.pid).children(recursive=True)
    return [child for child in children if any("train_lora.py" in part for part in child.cmdline())]


def test_stopped_then_killed_then_finished_to_the_same_bytes(two_clips: Path, tmp_path: Path) -> None:
    """From nothing; SIGTERM after the first save, kill -9 of everything after that, and a third start that ends it."""
    project = copy_without(two_clips, tmp_path / "batch", *EVERYTHING)
    driver = _start(project)
    _wait(driver, project, (project / STATE).exists)
    _trainings(driver)[-1].send_signal(signal.SIGTERM)
    assert driver.wait() != 0
    assert f"of {NUM_STEPS}; a new run goes on from there" in (project / LOG).read_text().splitlines()[-1]
    assert (project / STATE).exists() and not (project / LORA).exists()

    driver = _start(project)
    _wait(driver, project, lambda: (project / LOG).exists() and "goes on after step" in (project / LOG).read_text())
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    assert not (project / LORA).exists()

    assert run_snakemake(project, "--unlock").returncode == 0
    answer = run_snakemake(project, "--cores", "2", METRICS)
    assert answer.returncode == 0, answer.stdout
    assert "goes on after step" in (project / LOG).read_text()
    assert not (project / STATE).exists()
    made = finals(project)
    assert made == {path: content for path, content in finals(two_clips).items() if path.startswith(f"{CLIP}/")}
    assert {Path(path).suffix for path in made} == {".safetensors", ".mp4", ".json"}
