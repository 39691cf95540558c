"""What SLURM says of jobs that it preempted or forgot, in words that Snakemake's plugin understands."""

import re
import subprocess
import time
from collections.abc import Mapping

from lib.batch.slurm_jobs import SECONDS_FOR_SLURM

FINISHED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL", "BOOT_FAIL", "DEADLINE")
SECONDS_UNTIL_FORGOTTEN = 600.0  # twice as long as SLURM lists a job that ended


def correct_states(states: Mapping[str, str], last_seen: dict[str, float]) -> dict[str, str]:
    """Return the states of a run's jobs, but for those that the plugin (2.8) would misread or wait on for ever.

    FAILED, yet preempted: the job ended within its time of grace. It is queued again and costs no retry.
    PREEMPTED: ended for good, where a site's preemption cancels.
    Not listed for long: it ended while nobody could look.

    Args:
        states: of `squeue`, by job.
        last_seen: when each job that had not ended was last listed, kept between calls; changed in place.
    """
    now = time.monotonic()
    corrected = dict(states)
    for job, seen in list(last_seen.items()):
        if job not in states and now - seen > SECONDS_UNTIL_FORGOTTEN:
            corrected[job] = "FAILED"
        elif states.get(job) == "FAILED" and requeue_preempted(job):
            corrected[job] = "PENDING"
        elif states.get(job) == "PREEMPTED":
            corrected[job] = "CANCELLED"
    for job, state in corrected.items():
        if state in FINISHED:
            last_seen.pop(job, None)
        else:
            last_seen[job] = now
    return corrected


def requeue_preempted(job: str) -> bool:
    """Queue a job again that heeded SLURM's wish for its place; SLURM does so itself only with those it has to kill."""
    try:
        shown = _scontrol("show", "job", job).stdout
        times = dict(re.findall(r"\b(PreemptTime|StartTime)=(\d\S*)", shown))  # ISO 8601: their order is that of time
        if "Requeue=1" not in shown or times.get("PreemptTime", "") < times.get("StartTime", "9"):
            return False  # not preempted, or in an earlier run than the one that failed
        return _scontrol("requeue", job).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _scontrol(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["scontrol", *words], capture_output=True, text=True, timeout=SECONDS_FOR_SLURM)
