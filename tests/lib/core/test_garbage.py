"""What refers to itself is freed while work goes on."""

import gc
import weakref

from lib.core.garbage import collecting


class Video:
    """Like PyAV's containers: it and its stream refer to each other."""

    def __init__(self) -> None:
        self.stream = {"container": self}


def test_garbage_does_not_pile_up_and_results_pass_as_they_are() -> None:
    """At most so many at a time, also where Python does not collect by itself."""
    living: list[weakref.ref[Video]] = []

    def look(number: int) -> int:
        living.append(weakref.ref(Video()))
        return number

    gc.disable()
    try:
        most = 0
        for number, result in enumerate(collecting(map(look, range(50)), every=10)):
            assert result == number
            most = max(most, sum(video() is not None for video in living))
    finally:
        gc.enable()
    assert most == 10
