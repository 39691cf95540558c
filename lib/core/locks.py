"""Locks that end with the processes that hold them, however they end."""

import os
from pathlib import Path

from filelock import lock_descriptor


def try_lock(path: Path) -> int | None:
    """Lock a file that is made where it is missing, unless another process has it locked.

    Returns:
        Its file descriptor: the file is locked until no process has it open, and a child that inherits it holds the
        lock too. That is why this is no `filelock.FileLock`, which keeps its descriptor and lets go with the object.
        None where the lock is another's.

    Raises:
        OSError: the file cannot be made, is a link, or lies on a disk without locks.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    try:
        locked = lock_descriptor(descriptor, blocking=False)
    except OSError:
        os.close(descriptor)
        raise
    if not locked:
        os.close(descriptor)
    return descriptor if locked else None
