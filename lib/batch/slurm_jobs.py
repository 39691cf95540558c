"""A batch's own jobs in SLURM's queue, found by how their names begin; SLURM may be slow to answer, or not answer."""

import getpass
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lib.core.errors import InputError, Problem

SECONDS_FOR_SLURM = 60.0  # that one of its programs may take
SECONDS_BETWEEN_LOOKS = 2.0
MOST_SECONDS_BETWEEN_TRIES = 120.0  # of a program that fails; the first tries follow each other sooner
SECONDS_AT_ONCE = 0.5  # of a pause, after which a wish to stop is heard


@dataclass(frozen=True)
class SlurmJob:
    """One job that is in the queue: waiting, running or just ending."""

    number: str
    state: str
    name: str


def live_jobs(prefix: str) -> list[SlurmJob]:
    """Return this user's jobs whose names begin so; none on a machine without SLURM.

    Args:
        prefix: of `lib.batch.files.job_prefix`.

    Raises:
        InputError: SLURM does not answer, so that nobody can say what runs.
    """
    if shutil.which("squeue") is None:
        return []
    command = ["squeue", "--noheader", "--user", getpass.getuser(), "--format", "%i|%T|%j"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_FOR_SLURM)
    except subprocess.TimeoutExpired:
        raise _silence(f"no answer within {SECONDS_FOR_SLURM:.0f} s") from None
    if answer.returncode != 0:
        raise _silence(answer.stderr.strip() or f"exit code {answer.returncode}")
    jobs = [SlurmJob(*line.strip().split("|", 2)) for line in answer.stdout.splitlines() if line.count("|") >= 2]
    return [job for job in jobs if job.name.startswith(prefix)]


def ask_for_jobs(prefix: str, is_over: Callable[[], bool], say: Callable[[str], None]) -> list[SlurmJob]:
    """Return a batch's jobs in the queue, however often SLURM has to be asked.

    Args:
        is_over: whether to give up where it still does not answer.
        say: where each failure is told.

    Raises:
        InputError: it did not answer until it was over.
    """
    pause = SECONDS_BETWEEN_LOOKS
    while True:
        try:
            return live_jobs(prefix)
        except InputError as error:
            if is_over():
                raise
            say(f"{error}; asking again in {pause:.0f} s")
        _pause(pause, is_over)
        pause = min(2 * pause, MOST_SECONDS_BETWEEN_TRIES)


def wait_for_jobs(prefix: str, cancel: bool, is_over: Callable[[], bool], say: Callable[[str], None]) -> list[SlurmJob]:
    """Wait until a batch has no job in the queue; return those that are still there when it is over.

    Args:
        cancel: whether to end them: SIGTERM, so that trainings save their step, and SIGKILL after the time of grace.

    Raises:
        InputError: SLURM did not answer until it was over.
    """
    cancelled: set[str] = set()  # each once: a second SIGTERM would disturb it while it saves
    while jobs := ask_for_jobs(prefix, is_over, say):
        to_cancel = [job.number for job in jobs if job.number not in cancelled]
        if cancel and to_cancel and _cancel(to_cancel, say):
            cancelled.update(to_cancel)
        if is_over():
            break
        _pause(SECONDS_BETWEEN_LOOKS, is_over)
    return jobs


def _cancel(numbers: Sequence[str], say: Callable[[str], None]) -> bool:
    """Ask SLURM to end jobs; return whether it took the wish."""
    try:
        answer = subprocess.run(["scancel", *numbers], capture_output=True, text=True, timeout=SECONDS_FOR_SLURM)
    except subprocess.TimeoutExpired:
        say(f"scancel: no answer within {SECONDS_FOR_SLURM:.0f} s")
        return False
    if answer.returncode != 0:
        say(f"scancel: {answer.stderr.strip() or f'exit code {answer.returncode}'}")
    return answer.returncode == 0


def _pause(seconds: float, is_over: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not is_over():
        time.sleep(min(left, SECONDS_AT_ONCE))


def _silence(found: str) -> InputError:
    return InputError([Problem("squeue", found, "SLURM's controller to answer")])
