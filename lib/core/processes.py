"""Whether a process that a file names is still that process: a number alone may be another's by now."""

import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class ProcessId:
    """What names one process for good, whatever is done to clocks meanwhile.

    Args:
        host: name of its machine.
        boot: which start of that machine it belongs to.
        space: in which the number counts; containers of one machine may each have their own.
        pid: its number.
        born: when it began, in ticks since the machine's start.
    """

    host: str
    boot: str
    space: str
    pid: int
    born: int


def this_process() -> ProcessId:
    """Name the process that asks."""
    born = _born(os.getpid())
    assert born is not None, "it lives"
    return ProcessId(socket.gethostname(), _boot(), _space(), os.getpid(), born)


def process_lives(process: ProcessId) -> bool | None:
    """Tell whether a process lives; None where only its signs of life can tell: on another machine, in a container."""
    if process.host != socket.gethostname():
        return None
    if process.boot != _boot():
        return False  # the machine has started anew since
    if process.space != _space():
        return None
    try:
        return _born(process.pid) == process.born
    except PermissionError:  # another user's, which this machine hides
        return None


def _boot() -> str:
    return BOOT.read_text(encoding="ascii").strip()


def _space() -> str:
    return str(Path("/proc/self/ns/pid").readlink())


def _born(pid: int) -> int | None:
    """Return when a process began, in ticks since the machine's start; None if it has ended, waited for or not.

    Raises:
        PermissionError: it lives, and is hidden.
    """
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        with suppress(ProcessLookupError):
            os.kill(pid, 0)  # sends nothing
        return None
    state, *fields = status.rpartition(")")[2].split()  # behind its name, which may hold anything; see proc(5)
    return None if state in ("Z", "X") else int(fields[18])
