"""Why a stage failed: one small file beside its log, for retries, the status and the report."""

import errno
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from lib.core.clocks import time_on_disk
from lib.core.errors import InputError, InterruptionError
from lib.core.files import read_json, write_json

Kind = Literal["out_of_memory", "not_a_number", "disk_full", "input", "interrupted", "other"]
TAIL_LINES = 15  # of the log, kept with the reason
SUFFIX = ".failure.json"
FINAL_KINDS = ("input", "not_a_number")  # the same again would come of the same inputs and settings
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
NO_MEMORY_WORDS = ("out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED", "Cannot allocate memory")
NO_SPACE_WORDS = ("No space left on device", "Disk quota exceeded")  # of libraries that give no error number
NO_WORD = "its job ended before the stage could say why: see the driver's log, or SLURM's"
KILLED = "killed: its log ends without a last word (out of memory, out of time, or interrupted)"


@dataclass(frozen=True)
class Failure:
    """How a stage's last attempt ended.

    Args:
        kind: what a retry or a person can do something about.
        reason: for people, one line.
        attempt: which one of the run it was, from 1.
        at: when, ISO 8601 in UTC, by the clock of the disk that holds the log.
        log: the log, absolute.
        tail: last lines of the log; a retry starts a new one.
    """

    kind: Kind
    reason: str
    attempt: int
    at: str
    log: str
    tail: list[str]


def failure_path(log_path: str | Path) -> Path:
    """Return where a stage says why it failed: beside its log."""
    return Path(log_path).with_suffix(SUFFIX)


def kind_of(error: BaseException) -> Kind:
    """Tell what went wrong; an error that was raised while another was handled is judged by both."""
    for cause in _causes(error):
        if isinstance(cause, InputError):
            return cause.kind
        if isinstance(cause, InterruptionError):
            return "interrupted"
        if (
            isinstance(cause, MemoryError)
            or type(cause).__name__ == "OutOfMemoryError"
            or _says(cause, NO_MEMORY_WORDS)
        ):
            return "out_of_memory"
        if (isinstance(cause, OSError) and cause.errno in NO_SPACE) or _says(cause, NO_SPACE_WORDS):
            return "disk_full"
    return "other"


def reason_of(error: BaseException) -> str:
    """Write an error's message in one line; its type where it has none."""
    message = " ".join(str(error).split()) or type(error).__name__
    return f"disk full: {message}" if kind_of(error) == "disk_full" else message


def write_failure(log_path: str | Path, kind: Kind, reason: str, attempt: int, tail: list[str]) -> None:
    """Say beside a stage's log why it failed; a disk without room for that leaves the log alone to say so."""
    at = datetime.fromtimestamp(time_on_disk(Path(log_path).parent), UTC).isoformat(timespec="seconds")
    failure = Failure(kind, reason, attempt, at, str(Path(log_path).absolute()), tail)
    with suppress(OSError):
        write_json(failure_path(log_path), asdict(failure))


def read_failure(log_path: str | Path) -> Failure | None:
    """Return why a stage failed; None if it did not, or nothing can be read of it."""
    try:
        failure = Failure(**read_json(failure_path(log_path)))
    except (OSError, ValueError, TypeError):
        return None
    return failure if failure.kind in get_args(Kind) else None


def clear_failure(log_path: str | Path) -> None:
    """Take back that a stage failed."""
    failure_path(log_path).unlink(missing_ok=True)


def forget_final_failure(log_path: str | Path) -> None:
    """Take back, when a run first tries a stage, that it failed for good in an earlier run: that may be mended.

    What else it failed of stays: too little memory is a reason to take less.
    """
    failure = read_failure(log_path)
    if failure and failure.kind in FINAL_KINDS:
        clear_failure(log_path)


def retry_is_useless(log_path: str | Path, attempt: int) -> Failure | None:
    """Return the failure of this run's last attempt, if the same would happen again."""
    failure = read_failure(log_path)
    return failure if attempt > 1 and failure and failure.kind in FINAL_KINDS else None


def ran_out_of_memory(log_path: str | Path) -> bool:
    """Tell whether the stage's last attempt had too little memory."""
    failure = read_failure(log_path)
    return failure is not None and failure.kind == "out_of_memory"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those it came from."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _says(error: BaseException, words: tuple[str, ...]) -> bool:
    text = "".join(traceback.format_exception_only(error)).lower()
    return any(word.lower() in text for word in words)


FINISHED, FAILED = "finished in ", "failed: "  # how a log's last line begins; the report reads it
