"""A training told to stop, then killed, then left alone ends with the very LoRA and video of an unbroken run."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from lib.core.files import file_hash
from tests.conftest import ROOT
from tests.workflow.project import copy_project, run_snakemake, snakemake_command, write_settings

CLIP, EDIT, NUM_STEPS = "star-crossing", "blue-circle", 150
LORA = Path("results") / CLIP / "lora" / "edit" / "decouple.safetensors"
STATE = LORA.with_name(".decouple.state.safetensors")
LOG = Path("results") / "logs" / CLIP / "train_lora_decouple.edit.log"
VIDEO = Path("results") / CLIP / EDIT / "mask_lora" / "edited.mp4"


def _project(folder: Path) -> Path:
    folder.mkdir()
    copy_project(folder)
    shutil.copytree(ROOT / "demo" / "clips" / CLIP, folder / "clips" / CLIP)
    write_settings(folder, {"clips": "clips", "training": {"decouple_steps": NUM_STEPS}})
    return folder


def _start(project: Path) -> subprocess.Popen[bytes]:
    """Start the run in a session of its own."""
    with (project / "driver.log").open("w") as log:
        command = snakemake_command("--cores", "2", "--retries", "0", str(VIDEO))
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


def test_stopped_then_killed_then_finished_to_the_same_bytes(tmp_path: Path) -> None:
    """SIGTERM after the first save, kill -9 of everything after that, and a third start that ends it."""
    unbroken, broken = _project(tmp_path / "unbroken"), _project(tmp_path / "broken")
    answer = run_snakemake(unbroken, "--cores", "2", str(VIDEO))
    assert answer.returncode == 0, answer.stdout

    driver = _start(broken)
    _wait(driver, broken, (broken / STATE).exists)
    _trainings(driver)[-1].send_signal(signal.SIGTERM)
    assert driver.wait() != 0
    assert f"of {NUM_STEPS}; a new run goes on from there" in (broken / LOG).read_text().splitlines()[-1]
    assert (broken / STATE).exists() and not (broken / LORA).exists()

    driver = _start(broken)
    _wait(driver, broken, lambda: (broken / LOG).exists() and "goes on after step" in (broken / LOG).read_text())
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    assert not (broken / LORA).exists()

    assert run_snakemake(broken, "--unlock").returncode == 0
    answer = run_snakemake(broken, "--cores", "2", str(VIDEO))
    assert answer.returncode == 0, answer.stdout
    assert "goes on after step" in (broken / LOG).read_text()
    assert not (broken / STATE).exists()
    for path in (LORA, VIDEO):
        assert file_hash(broken / path) == file_hash(unbroken / path), path
