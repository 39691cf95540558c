"""A log that a person can read for each stage of each clip, and its progress line."""

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

from lib.errors import InterruptionError
from lib.failures import TAIL_LINES, clear_failure, kind_of, reason_of, retry_is_useless, write_failure
from lib.stage_marks import running_mark

FINISHED, FAILED = "finished in ", "failed: "  # how a log's last line begins; the report reads it
SECONDS_BETWEEN_LINES = 5.0
STDOUT, STDERR = 1, 2  # file descriptors


@contextmanager
def stage_log(path: str | Path, title: str, attempt: int = 1) -> Iterator[None]:
    """Send all that a stage prints to its log; on failure say so there, beside it, and in two lines on the console.

    The log's last line is `finished in N s` or `failed: REASON`; a log without one was killed. Why it failed is also
    in STAGE.failure.json, see `lib.failures`. A retry that cannot help ends at once with the same reason.

    Args:
        path: the log.
        title: what runs, for people: the stage, the clip and the edit.
        attempt: which one of this run it is, from 1.
    """
    started = time.perf_counter()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
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


class Progress:
    """Steps done, loss and time left, printed to the log every few seconds.

    A class, since it remembers from when on it counts and when it last spoke.
    """

    def __init__(self, title: str, num_steps: int, num_done: int = 0) -> None:
        self.title, self.num_steps, self.num_done = title, num_steps, num_done
        self.counted_from, self.counted_since = num_done, time.perf_counter()
        self.spoke = self.counted_since

    def show(self, step: int, loss: float | None = None) -> None:
        """Print `step/num_steps`, the loss if there is one, the time of a step and the time left."""
        now = time.perf_counter()
        if now - self.spoke < SECONDS_BETWEEN_LINES and step not in (self.num_done + 1, self.num_steps):
            return
        self.spoke = now
        seconds = (now - self.counted_since) / (step - self.counted_from)
        if step == self.num_done + 1:  # it may have compiled; the time of those to come is counted without it
            self.counted_from, self.counted_since = step, now
        shown_loss = "" if loss is None else f", loss {loss:.4f}"
        shown_times = f"{seconds:.2g} s each, {format_seconds(seconds * (self.num_steps - step))} left"
        print(f"{self.title} {step}/{self.num_steps}{shown_loss}, {shown_times}", flush=True)


def format_seconds(seconds: float) -> str:
    """Write a duration for people: 12 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
