"""The processes of a session on this machine: a driver's Snakemake and the jobs it started."""

import os
import time
from contextlib import suppress

import psutil

SECONDS_BETWEEN_LOOKS = 0.2
MARK = "BATCH_RESULTS"  # environment variable of everything a driver starts: its results folder


def session_processes(session: int, results: str) -> list[psutil.Process]:
    """Return a session's processes that were started for this results folder; numbers may be others' by now."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # gone meanwhile, or another user's
            is_ours = os.getsid(process.pid) == session and process.environ().get(MARK) == results
            if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def end_jobs(session: int, results: str, asked: set[psutil.Process]) -> None:
    """Ask a session's jobs to end, so that trainings save their step; each once, so that they are left to do it.

    Not its leader, and only processes without children: a shell would be gone before the script that it waits for.
    """
    parents = {session}
    processes = session_processes(session, results)
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            parents.add(process.ppid())
    for process in processes:
        if process.pid not in parents and process not in asked:
            asked.add(process)
            with suppress(psutil.NoSuchProcess):
                process.terminate()


def end_session(session: int, results: str, grace: float) -> int:
    """End what is left of a session: its jobs, with time to save their step, then all; return how many there were."""
    left = session_processes(session, results)
    num_found, deadline = len(left), time.monotonic() + grace
    asked: set[psutil.Process] = set()
    while left and time.monotonic() < deadline:
        end_jobs(session, results, asked)
        time.sleep(SECONDS_BETWEEN_LOOKS)
        left = session_processes(session, results)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return num_found
