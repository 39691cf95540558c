"""The clock that dates a disk's files: on a network disk the file server's, the one clock that all machines share."""

import os
import tempfile
import time
from pathlib import Path


def time_on_disk(folder: str | Path) -> float:
    """Return the present by the clock that dates a folder's files, in seconds since the epoch.

    Machines' own clocks may differ by minutes: how old a file is only this one tells. Where nothing can be written, it
    is this machine's own.

    Args:
        folder: need not exist yet; the nearest one above it that does stands for it.
    """
    existing = Path(folder).absolute()
    while not existing.is_dir() and existing != existing.parent:
        existing = existing.parent
    try:
        with tempfile.TemporaryFile(dir=existing, prefix=".clock-") as probe:
            return os.fstat(probe.fileno()).st_mtime
    except OSError:
        return time.time()
