"""What a stage leaves beside its log while it runs: by it a stage at work is told from one that was killed."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from lib.core.clocks import time_on_disk
from lib.core.files import read_json, write_json
from lib.core.processes import ProcessId, process_lives, this_process

SUFFIX = ".running.json"
SECONDS_BETWEEN_BEATS = 20.0
SECONDS_OF_SILENCE = 120.0  # after which a stage on another host is taken for dead; a network disk may tell late


@dataclass(frozen=True)
class Mark:
    """A stage that began.

    Args:
        process: the one that runs it.
        attempt: which one of the run it is, from 1.
        started: seconds since the epoch, by the clock of the disk that holds the mark.
        slurm_job: its number in SLURM's queue; None without SLURM.
        log: the log, absolute.
    """

    process: ProcessId
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
        write_json(path, asdict(Mark(this_process(), attempt, time_on_disk(path.parent), job, log)))

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
        known = read_json(path)
        return Mark(**{**known, "process": ProcessId(**known["process"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def still_runs(path: Path, mark: Mark, now: float) -> bool:
    """Tell whether the stage of a mark is at work: by its process on this host, by its signs of life on another.

    Args:
        now: by the clock of the disk that holds the mark, see `lib.core.clocks`; this machine's may be minutes off.
    """
    lives = process_lives(mark.process)
    if lives is not None:
        return lives
    try:
        return now - path.stat().st_mtime < SECONDS_OF_SILENCE
    except OSError:
        return False
