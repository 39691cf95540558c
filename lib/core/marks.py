"""What a stage leaves beside its log while it runs: by it a stage at work is told from one that was killed."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from lib.core.clocks import seconds_since_change
from lib.core.files import read_json, write_json
from lib.core.processes import process_lives

SUFFIX = ".running.json"
SECONDS_BETWEEN_BEATS = 20.0
SECONDS_OF_SILENCE = 120.0  # after which a stage on another host is taken for dead; a network disk may tell late


@dataclass(frozen=True)
class Mark:
    """A stage that began.

    Args:
        host, pid: where it runs.
        attempt: which one of the run it is, from 1.
        started: seconds since the epoch.
        slurm_job: its number in SLURM's queue; None without SLURM.
        log: the log, absolute.
    """

    host: str
    pid: int
    attempt: int
    started: float
    slurm_job: str | None
    log: str


def mark_path(log_path: str | Path) -> Path:
    """Return where a stage says that it runs: beside its log."""
    return Path(log_path).with_suffix(SUFFIX)


@contextmanager
def running_mark(log_path: str | Path, attempt: int) -> Iterator[None]:
    """Show that a stage runs, by a file whose time of change goes on; a stage that is killed leaves it behind."""
    path, ended = mark_path(log_path), threading.Event()
    job, log = os.environ.get("SLURM_JOB_ID"), str(Path(log_path).absolute())
    with suppress(OSError):  # a full disk: what the stage itself says of it is worth more
        write_json(path, asdict(Mark(socket.gethostname(), os.getpid(), attempt, time.time(), job, log)))

    def beat() -> None:
        while not ended.wait(SECONDS_BETWEEN_BEATS):
            with suppress(OSError):
                os.utime(path)

    threading.Thread(target=beat, daemon=True).start()
    try:
        yield
    finally:
        ended.set()
        path.unlink(missing_ok=True)


def read_mark(path: Path) -> Mark | None:
    """Read the mark of a stage; None if it has just ended."""
    try:
        return Mark(**read_json(path))
    except (OSError, ValueError, TypeError):
        return None


def still_runs(path: Path, mark: Mark) -> bool:
    """Tell whether the stage of a mark is at work: by its process on this host, by its signs of life on another."""
    if mark.host == socket.gethostname():
        return process_lives(mark.pid, mark.started)
    try:
        return seconds_since_change(path) < SECONDS_OF_SILENCE
    except OSError:
        return False
