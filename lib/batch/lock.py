"""One driver for a results folder: a lock that dies with its holder, and who holds it."""

import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lib.batch.files import batch_file
from lib.core.clocks import seconds_since_change
from lib.core.errors import InputError, Problem
from lib.core.files import read_json_or_nothing, write_json
from lib.core.locks import try_lock
from lib.core.processes import process_lives

SECONDS_BETWEEN_BEATS = 30.0
SECONDS_OF_SILENCE = 180.0  # after which a driver on another host, whose lock is free, is taken for dead


def take_lock(results: Path) -> int:
    """Lock a results folder; return the lock's file descriptor, see `lib.core.locks`.

    Raises:
        InputError: another driver lives, on this host or another; or the folder cannot be written to.
    """
    path = batch_file(results, "lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = try_lock(path)
    except OSError as error:
        found = f"a folder that cannot be written to, or a disk without file locks ({error.strerror})"
        expected = "one that can, with locks (Lustre: -o flock)"
        raise InputError([Problem(f"results folder {results}", found, expected)]) from None
    if descriptor is None:
        raise _busy(results)
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
    """Return what the last driver said of itself, and as `lives` whether it does.

    The lock is not tried: for that moment it would be held, and a driver that starts just then refused.
    """
    facts = read_json_or_nothing(batch_file(results, "driver.json"))
    return {**facts, "lives": _lives_here(facts) or _beats_elsewhere(facts, results)}


def _lives_here(facts: dict[str, Any]) -> bool:
    if facts.get("host") != socket.gethostname():
        return False
    return process_lives(facts["pid"], datetime.fromisoformat(facts["started"]).timestamp())


def _beats_elsewhere(facts: dict[str, Any], results: Path) -> bool:
    """Tell whether a driver on another host gave a sign of life of late."""
    if facts.get("host") in (None, socket.gethostname()) or facts.get("ended"):
        return False
    return seconds_since_change(batch_file(results, "driver.json")) < SECONDS_OF_SILENCE


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
