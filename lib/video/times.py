"""Time stamps as files have them: missing, equal, falling or begun anew; and as a video needs them: rising."""

from collections.abc import Sequence

RESET_SECONDS = 0.5  # of falling back, from which time has begun anew, as where recordings were joined


def rising(times: Sequence[float | None], interval: float) -> list[float]:
    """Return strictly rising times from 0, as near to the given ones as can be.

    Args:
        times: of frames in the order in which they are shown, in seconds; None: not given.
        interval: usual time between two frames, for those that have no time of their own.
    """
    made: list[float] = []
    offset = 0.0
    for time in times:
        if not made:
            offset = -(time or 0.0)
            made.append(0.0)
            continue
        following = made[-1] + interval
        shifted = following if time is None else time + offset
        if time is not None and shifted < made[-1] - RESET_SECONDS:
            offset = following - time
            shifted = following
        made.append(shifted if shifted > made[-1] else _between(made[-1], following, interval))
    return made


def _between(last: float, following: float, interval: float) -> float:
    """Return a time for a frame whose own is not after the last one's: half an interval on, so that the next may keep
    its own."""
    return min(following, last + interval / 2)
