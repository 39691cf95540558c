"""One driver for a results folder: a lock that dies with its holder, and who holds it."""

import fcntl
import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lib.batch.files import batch_file
from lib.core.errors import InputError, Problem
from lib.core.files import read_json_or_nothing, write_json

SECONDS_BETWEEN_BEATS = 30.0
SECONDS_OF_SILENCE = 180.0  # after which a driver on another host, whose lock is free, is taken for dead


def take_lock(results: Path) -> int:
    """Lock a results folder; return the lock's file descriptor: it is free again when no process has it open.

    Raises:
        InputError: another driver lives, on this host or another; or the folder cannot be written to.
    """
    path = batch_file(results, "lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        found = f"a folder that cannot be written to ({error.strerror})"
        raise InputError([Problem(f"results folder {results}", found, "one that can")]) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise _busy(results) from None
    except OSError as error:
        found = f"a disk without file locks ({error.strerror})"
        raise InputError([Problem(f"results folder {results}", found, "one with them (Lustre: -o flock)")]) from None
    if _beats_elsewhere(read_json_or_nothing(batch_file(results, "driver.json")), results):
        os.close(descriptor)  # a network disk may not carry locks from host to host
        raise _busy(results)
    return descriptor


def this_process() -> dict[str, Any]:
    """Say who drives, for `write_driver`."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return {"host": socket.gethostname(), "pid": os.getpid(), "started": started}


def write_driver(results: Path, facts: dict[str, Any]) -> None:
    """Say who drives a batch, and with what."""
    write_json(batch_file(results, "driver.json"), facts)


def beat(results: Path) -> None:
    """Show that the driver lives, to hosts that cannot see its process."""
    os.utime(batch_file(results, "driver.json"))


def driver_facts(results: Path) -> dict[str, Any]:
    """Return what the last driver said of itself, and as `lives` whether it does."""
    facts = read_json_or_nothing(batch_file(results, "driver.json"))
    return {**facts, "lives": _lock_is_held(results) or _beats_elsewhere(facts, results)}


def _lock_is_held(results: Path) -> bool:
    try:
        descriptor = os.open(batch_file(results, "lock"), os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _beats_elsewhere(facts: dict[str, Any], results: Path) -> bool:
    """Tell whether a driver on another host gave a sign of life of late."""
    if facts.get("host") in (None, socket.gethostname()) or facts.get("ended"):
        return False
    return time.time() - batch_file(results, "driver.json").stat().st_mtime < SECONDS_OF_SILENCE


def _busy(results: Path) -> InputError:
    facts = read_json_or_nothing(batch_file(results, "driver.json"))
    who = f"{facts.get('host', 'this host')}, process {facts.get('pid', 'unknown')}, since {facts.get('started')}"
    expected = "one driver for a results folder; look with `./batch status`, end it with `./batch stop`"
    if facts.get("host") not in (None, socket.gethostname()):
        path = batch_file(results, "driver.json").parent
        expected += (
            f". If {facts['host']} is dead, this folder is free {SECONDS_OF_SILENCE / 60:.0f} min after its last sign"
            f" of life; if it still is not, remove {path / 'lock'}"
        )
    return InputError([Problem(f"results folder {results}", f"a driver at work ({who})", expected)])
