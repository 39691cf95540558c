"""Whether a process that a file names is still that process: a number alone may be another's by now."""

import psutil

SECONDS_OF_CLOCK = 60.0  # by which a clock may have been set right in between; no number comes back so soon


def process_lives(pid: int, since: float) -> bool:
    """Tell whether a process of this machine runs and had begun by then.

    Args:
        pid: its number.
        since: when it is known to have been at work, seconds since the epoch.
    """
    try:
        process = psutil.Process(pid)
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.create_time() < since + SECONDS_OF_CLOCK)
    except psutil.NoSuchProcess:
        return False
