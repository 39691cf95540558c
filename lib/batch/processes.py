"""The processes of a session on this machine: a driver's Snakemake and the jobs it started."""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SECONDS_BETWEEN_LOOKS = 0.2
MARK = "BATCH_RESULTS"  # environment variable of everything a driver starts: its results folder


@dataclass(frozen=True)
class Process:
    """A process that lives."""

    pid: int
    parent: int


def session_processes(session: int, results: str) -> list[Process]:
    """Return a session's processes that were started for this results folder; numbers may be others' by now."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # gone meanwhile, or another user's
            # After the command, which ends with the last parenthesis: state, parent, group, session.
            state, parent, _, its_session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(its_session) != session or state == "Z":
                continue
            if f"{MARK}={results}\0".encode() in (folder / "environ").read_bytes() + b"\0":
                found.append(Process(int(folder.name), int(parent)))
    return found


def end_jobs(session: int, results: str, asked: set[int]) -> None:
    """Ask a session's jobs to end, so that trainings save their step; each once, so that they are left to do it.

    Not its leader, and only processes without children: a shell would be gone before the script that it waits for.
    """
    processes = session_processes(session, results)
    parents = {process.parent for process in processes}
    for process in processes:
        if process.pid not in parents | asked | {session}:
            asked.add(process.pid)
            _send(process.pid, signal.SIGTERM)


def end_session(session: int, results: str, grace: float) -> int:
    """End what is left of a session: its jobs, with time to save their step, then all; return how many there were."""
    left = session_processes(session, results)
    num_found, deadline = len(left), time.monotonic() + grace
    asked: set[int] = set()
    while left and time.monotonic() < deadline:
        end_jobs(session, results, asked)
        time.sleep(SECONDS_BETWEEN_LOOKS)
        left = session_processes(session, results)
    for process in left:
        _send(process.pid, signal.SIGKILL)
    return num_found


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
