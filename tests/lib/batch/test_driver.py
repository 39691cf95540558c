"""The driver beside a SLURM that is slow, fails, or does not answer at all: real programs of those names on PATH."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from lib.batch.files import Settings, batch_file, job_prefix, save_settings
from lib.batch.lock import driver_facts, take_lock
from lib.core.errors import InputError
from lib.core.files import read_json_or_nothing, write_json
from lib.core.marks import mark_path, running_mark
from tests.conftest import ROOT

DRIVER = """
import sys
from pathlib import Path
from lib.batch import driver, slurm_jobs
from lib.batch.lock import take_lock
slurm_jobs.SECONDS_FOR_SLURM, slurm_jobs.SECONDS_BETWEEN_LOOKS = 0.5, 0.1
driver.SECONDS_BETWEEN_BEATS = 0.5
driver.SECONDS_OF_SILENCE, driver.SECONDS_TO_LEAVE_QUEUE = float(sys.argv[2]), float(sys.argv[2])
results = Path(sys.argv[1])
sys.exit(driver.drive(results, take_lock(results), "--wait" in sys.argv, False))
"""
SQUEUE = """#!/bin/sh
# Answers as the file `answers` says, a line for each call; the last line for ever.
cd "$(dirname "$0")" || exit 9
echo call >> squeue.calls
number=$(wc -l < squeue.calls)
case $(sed -n "${number}p;\\$p" answers | head -n 1) in
    slow) exec sleep 60 ;;
    fails) echo "slurm_load_jobs error: Unable to contact slurm controller" >&2; exit 1 ;;
    job) echo "7|RUNNING|PREFIX-a-job"; echo "8|RUNNING|of-another-batch" ;;
esac
"""
SCANCEL = """#!/bin/sh
cd "$(dirname "$0")" || exit 9
echo "$@" >> scancel.calls
test "$(wc -l < scancel.calls)" -gt 1
"""


class FakeSlurm:
    """Programs squeue and scancel, and a driver that finds them."""

    def __init__(self, folder: Path, *answers: str) -> None:
        """Write the programs; the first scancel fails."""
        self.results, self.bin = folder / "results", folder / "bin"
        self.bin.mkdir()
        (self.bin / "answers").write_text("".join(f"{answer}\n" for answer in answers))
        programs = {"squeue": SQUEUE.replace("PREFIX", job_prefix(self.results)), "scancel": SCANCEL}
        for name, text in programs.items():
            (self.bin / name).write_text(text)
            (self.bin / name).chmod(0o755)

    def start(self, patience: float, *words: str, config: Path | None = None) -> subprocess.Popen[str]:
        """Start a driver; its Snakemake only says its version, unless it has settings to read."""
        options, configfile = ([], str(config)) if config else (["--version"], None)
        save_settings(Settings(str(self.results), str(self.results.parent), configfile, None, True, 1000, options))
        environment = {**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}"}
        command = [sys.executable, "-c", DRIVER, str(self.results), str(patience), *words]
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def calls(self, program: str) -> list[str]:
        """Return what a program was called with, each time."""
        log = self.bin / f"{program}.calls"
        return log.read_text().splitlines() if log.exists() else []

    def outcome(self) -> str:
        """Return the driver's last word."""
        return str(json.loads(batch_file(self.results, "driver.json").read_text())["outcome"])


def test_waiting_for_jobs_survives_a_slurm_that_fails_and_one_that_hangs(tmp_path: Path) -> None:
    """Each failure is told, with a longer pause after each; the jobs are waited for and not cancelled."""
    slurm = FakeSlurm(tmp_path, "slow", "fails", "job", "fails", "fails", "slow", "job", "fails", "nothing")
    driver = slurm.start(60, "--wait")
    said = driver.communicate(timeout=60)[0]
    assert driver.returncode == 0 and slurm.outcome() == "finished", said
    assert said.count("no answer within") == 2 and said.count("Unable to contact slurm controller") == 4, said
    assert "waiting for 1 jobs" in said and not slurm.calls("scancel")
    assert len(slurm.calls("squeue")) >= 9 and "Traceback" not in said


def test_jobs_left_by_a_dead_driver_are_cancelled_though_the_first_scancel_fails(tmp_path: Path) -> None:
    """Asked again until SLURM takes it, then never more: a second wish would disturb a training that saves."""
    slurm = FakeSlurm(tmp_path, "fails", "job", "job", "job", "job", "nothing")
    driver = slurm.start(60)
    said = driver.communicate(timeout=60)[0]
    assert driver.returncode == 0 and slurm.outcome() == "finished", said
    assert slurm.calls("scancel") == ["7", "7"]


@pytest.mark.parametrize("answer", ["slow", "fails"])
def test_a_slurm_that_never_answers_ends_the_driver_with_a_word(tmp_path: Path, answer: str) -> None:
    """Not at once, and not for ever: what would run beside the new jobs cannot be known."""
    slurm = FakeSlurm(tmp_path, answer)
    driver = slurm.start(1.5)
    said = driver.communicate(timeout=60)[0]
    assert driver.returncode == 1 and "nothing was started" in slurm.outcome(), said
    assert len(slurm.calls("squeue")) > 2 and "expected SLURM's controller to answer" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("answer", ["job", "fails"])
def test_a_driver_that_waits_without_end_can_be_stopped(tmp_path: Path, answer: str) -> None:
    """SIGTERM while it waits for jobs, or for SLURM: its last word says so."""
    slurm = FakeSlurm(tmp_path, answer)
    driver = slurm.start(60, "--wait")
    _wait_until(lambda: len(slurm.calls("squeue")) > 3, driver)
    driver.send_signal(signal.SIGTERM)
    said = driver.communicate(timeout=60)[0]
    assert driver.returncode == 1 and slurm.outcome() == "stopped by SIGTERM", said


@pytest.mark.parametrize("answers", [("nothing", "slow", "fails", "job", "job", "nothing"), ("nothing", "slow")])
def test_a_stop_survives_a_silent_slurm(tmp_path: Path, answers: tuple[str, ...]) -> None:
    """In mid-run: Snakemake is ended, the jobs are cancelled if SLURM comes back, and the end is in good order."""
    slurm = FakeSlurm(tmp_path, *answers)
    never = tmp_path / "settings.yaml"
    os.mkfifo(never)  # Snakemake waits for its settings
    driver = slurm.start(3, config=never)
    _wait_until(lambda: bool(_facts(slurm).get("session")), driver)
    driver.send_signal(signal.SIGTERM)
    said = driver.communicate(timeout=60)[0]
    assert slurm.outcome() == "stopped by SIGTERM" and "no answer within" in said, said
    if "job" in answers:
        assert slurm.calls("scancel") == ["7", "7"]
    else:
        assert "may be left in its queue" in said


def test_a_stage_that_an_earlier_driver_left_on_another_machine_is_told(tmp_path: Path) -> None:
    """It gives signs of life and cannot be ended from here: nothing is started beside it; a SLURM job's is SLURM's."""
    slurm = FakeSlurm(tmp_path, "nothing")
    log = slurm.results / "logs" / "clip" / "generate.log"
    with running_mark(log, 1):
        mark = read_json_or_nothing(mark_path(log))
        elsewhere = {**mark, "process": {**mark["process"], "host": "elsewhere"}}
        write_json(mark_path(log), elsewhere)
        driver = slurm.start(3)
        said = driver.communicate(timeout=60)[0]
        assert driver.returncode == 1 and "clip/generate: found at work on elsewhere" in said, said
        write_json(mark_path(log), {**elsewhere, "slurm_job": "7"})
        assert slurm.start(3).communicate(timeout=60)[0].count("elsewhere") == 0
        assert slurm.outcome() == "finished"


def test_a_driver_that_is_killed_takes_its_snakemake_with_it(tmp_path: Path) -> None:
    """kill -9, of which it can tell nobody: Snakemake, which has the lock too, ends, and the folder is free."""
    slurm = FakeSlurm(tmp_path, "nothing")
    never = tmp_path / "settings.yaml"
    os.mkfifo(never)
    driver = slurm.start(3, config=never)
    _wait_until(lambda: bool(_facts(slurm).get("session")), driver)
    with pytest.raises(InputError, match=f"a driver at work .*process {driver.pid}"):
        take_lock(slurm.results)
    its_snakemake = psutil.Process(_facts(slurm)["session"])
    driver.kill()
    driver.communicate(timeout=60)
    its_snakemake.wait(30)
    assert not driver_facts(slurm.results)["lives"]
    os.close(take_lock(slurm.results))


@pytest.fixture
def disk_of_few_files(tmp_path: Path) -> Iterator[Path]:
    """A disk for results that takes some files and then none, whatever room it says it has: as under a quota."""
    folder = tmp_path / "results"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64m,nr_inodes=30", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a disk can be mounted by root alone: {mounted.stderr}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_reports_room_and_gives_none_stops_the_batch(tmp_path: Path, disk_of_few_files: Path) -> None:
    """Once, with what to do, where every job would have failed one after the other; its last word finds room."""
    slurm = FakeSlurm(tmp_path, "nothing")
    never = tmp_path / "settings.yaml"
    os.mkfifo(never)
    driver = slurm.start(3, config=never)
    _wait_until(lambda: bool(_facts(slurm).get("session")), driver)
    with suppress(OSError):
        for number in range(100):
            (disk_of_few_files / f"filler {number}").touch()
    assert shutil.disk_usage(disk_of_few_files).free > 32 * 2**20
    said = driver.communicate(timeout=60)[0]
    assert driver.returncode and "a full disk: make room for" in slurm.outcome(), said


def _facts(slurm: FakeSlurm) -> dict[str, Any]:
    return read_json_or_nothing(batch_file(slurm.results, "driver.json"))


def _wait_until(happened: Callable[[], bool], driver: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while not happened():
        assert driver.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
