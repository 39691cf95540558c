"""A batch's own jobs in SLURM's queue, found by how their names begin."""

import getpass
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from lib.core.errors import InputError, Problem

SECONDS_BETWEEN_LOOKS = 2.0


@dataclass(frozen=True)
class SlurmJob:
    """One job that is in the queue: waiting, running or just ending."""

    number: str
    state: str
    name: str


def live_jobs(prefix: str, needed: bool = True) -> list[SlurmJob]:
    """Return this user's jobs whose names begin so; none on a machine without SLURM.

    Args:
        prefix: of `lib.batch.files.job_prefix`.
        needed: whether to fail where SLURM is there but does not answer.

    Raises:
        InputError: SLURM does not answer, so that nobody can say what runs.
    """
    if shutil.which("squeue") is None:
        return []
    command = ["squeue", "--noheader", "--user", getpass.getuser(), "--format", "%i|%T|%j"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if answer.returncode != 0 and not needed:
        return []
    if answer.returncode != 0:
        raise InputError([Problem("squeue", answer.stderr.strip() or "no answer", "SLURM's controller to answer")])
    jobs = [SlurmJob(*line.strip().split("|", 2)) for line in answer.stdout.splitlines() if line.count("|") >= 2]
    return [job for job in jobs if job.name.startswith(prefix)]


def cancel_jobs(jobs: Sequence[SlurmJob]) -> None:
    """Ask SLURM to end jobs: SIGTERM, so that trainings save their step, and SIGKILL after its grace period."""
    if jobs:
        subprocess.run(["scancel", *[job.number for job in jobs]], capture_output=True, timeout=120)


def wait_for_jobs(prefix: str, seconds: float) -> list[SlurmJob]:
    """Wait until a batch has no job in the queue; return those that are still there after so many seconds."""
    deadline = time.monotonic() + seconds
    while (jobs := live_jobs(prefix)) and time.monotonic() < deadline:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return jobs
