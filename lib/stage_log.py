"""A log that a person can read for each stage of each clip, and its progress line."""

import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import IO

FINISHED, FAILED = "finished in ", "failed: "  # how a log's last line begins; the report reads it
SECONDS_BETWEEN_LINES = 5.0
STDOUT, STDERR = 1, 2  # file descriptors


@contextmanager
def stage_log(path: str | Path, title: str) -> Iterator[None]:
    """Send all that a stage prints to its log; on failure say so there and, in two lines, to the console.

    The log's last line is `finished in N s` or `failed: REASON`; a log without one was killed.

    Args:
        path: the log.
        title: what runs, for people: the stage, the clip and the edit.
    """
    started = time.perf_counter()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with Path(path).open("w", buffering=1, encoding="utf-8") as log, _divert(log), redirect_stdout(log):
        print(title)
        try:
            yield
        except Exception as error:
            traceback.print_exc(file=log)
            reason = str(error).strip().splitlines() or [type(error).__name__]
            print(f"{FAILED}{' '.join(reason)}")
            message = f"{title} failed: {reason[0]}\n  log: {path}"
        else:
            print(f"{FINISHED}{time.perf_counter() - started:.1f} s")
            return
    print(message, file=sys.stderr, flush=True)
    raise SystemExit(1)


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

    A class, since it remembers when it started and when it last spoke.
    """

    def __init__(self, title: str, num_steps: int, num_done: int = 0) -> None:
        self.title, self.num_steps, self.num_done = title, num_steps, num_done
        self.started = self.spoke = time.perf_counter()

    def show(self, step: int, loss: float | None = None) -> None:
        """Print `step/num_steps`, the loss if there is one, and the time left."""
        now = time.perf_counter()
        if now - self.spoke < SECONDS_BETWEEN_LINES and step not in (self.num_done + 1, self.num_steps):
            return
        self.spoke = now
        seconds_left = (now - self.started) / (step - self.num_done) * (self.num_steps - step)
        shown_loss = "" if loss is None else f", loss {loss:.4f}"
        print(f"{self.title} {step}/{self.num_steps}{shown_loss}, {format_seconds(seconds_left)} left", flush=True)


def format_seconds(seconds: float) -> str:
    """Write a duration for people: 12 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
