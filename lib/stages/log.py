"""A log that a person can read for each stage of each clip."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn

from lib.core.errors import InterruptionError
from lib.core.failures import (
    FAILED,
    FINISHED,
    TAIL_LINES,
    clear_failure,
    forget_final_failure,
    kind_of,
    reason_of,
    retry_is_useless,
    write_failure,
)
from lib.core.marks import running_mark

STDOUT, STDERR = 1, 2  # file descriptors


@contextmanager
def stage_log(path: str | Path, title: str, attempt: int = 1) -> Iterator[None]:
    """Send all that a stage prints to its log; on failure say so there, beside it, and in two lines on the console.

    The log's last line is `finished in N s` or `failed: REASON`; a log without one was killed. Why it failed is also
    in STAGE.failure.json, see `lib.core.failures`. A retry that cannot help ends at once with the same reason.

    Args:
        path: the log.
        title: what runs, for people: the stage, the clip and the edit.
        attempt: which one of this run it is, from 1.
    """
    started = time.perf_counter()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    if attempt == 1:
        forget_final_failure(path)
    earlier = retry_is_useless(path, attempt)
    if earlier:
        Path(path).write_text("\n".join([*earlier.tail, f"{FAILED}{earlier.reason}"]) + "\n", encoding="utf-8")
        _give_up(f"{title}: not tried again, since a retry cannot help: {earlier.reason}", path)
    with (
        running_mark(path, attempt),
        Path(path).open("w", buffering=1, encoding="utf-8") as log,
        _divert(log),
        redirect_stdout(log),
        _stops_are_errors(),
    ):
        try:
            print(title if attempt == 1 else f"{title} (attempt {attempt})")
            yield
            print(f"{FINISHED}{time.perf_counter() - started:.1f} s")
        except Exception as error:
            reason = reason_of(error)
            lines = traceback.format_exc().splitlines()
            write_failure(path, kind_of(error), reason, attempt, lines[-TAIL_LINES:])
            with suppress(OSError):  # a full disk
                print("\n".join([*lines, f"{FAILED}{reason}"]))
        else:
            clear_failure(path)
            return
    _give_up(f"{title} failed: {reason}", path)


def _give_up(message: str, log: str | Path) -> NoReturn:
    print(f"{message}\n  log: {log}", file=sys.stderr, flush=True)
    raise SystemExit(1)


@contextmanager
def _stops_are_errors() -> Iterator[None]:
    """Turn the signals that end a job into an error: a stage that is stopped says so and leaves no half file."""

    def stop(number: int, _: FrameType | None) -> None:
        for each in kept:  # the next one must not interrupt what is written about this one
            signal.signal(each, signal.SIG_IGN)
        raise InterruptionError(f"stopped by {signal.Signals(number).name}")

    kept = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


@contextmanager
def _divert(log: IO[str]) -> Iterator[None]:
    """Send the process's own stdout and stderr to the log: libraries write there past Python's sys.stderr."""
    sys.stderr.flush()
    kept = {stream: os.dup(stream) for stream in (STDOUT, STDERR)}
    try:
        for stream in kept:
            os.dup2(log.fileno(), stream)
        yield
    finally:
        sys.stderr.flush()
        for stream, copy in kept.items():
            os.dup2(copy, stream)
            os.close(copy)
