"""The clock of a disk: a network disk dates files by its own, which may go minutes before or after this machine's."""

import os
import tempfile
import time
from pathlib import Path


def disk_time(folder: Path) -> float:
    """Return what time it is where the files of a folder are dated, in seconds since the epoch.

    Asked of a file without a name, which leaves no trace. Where nothing can be written this machine's clock answers.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            return os.fstat(probe.fileno()).st_mtime
    except OSError:
        return time.time()


def seconds_since_change(path: Path) -> float:
    """Return how long ago a file was last written or touched, whatever this machine's clock says.

    Raises:
        OSError: the file is gone.
    """
    changed = path.stat().st_mtime
    return disk_time(path.parent) - changed
