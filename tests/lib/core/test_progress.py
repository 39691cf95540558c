"""Progress, and durations for people."""

import re
import time

import pytest

from lib.core.progress import Progress, format_seconds


def test_progress_shows_steps_loss_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    """First and last step are always shown; steps between only every few seconds."""
    progress = Progress("step", 100)
    for step in range(1, 101):
        progress.show(step, loss=0.5)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("step 1/100, loss 0.5000, ") and lines[0].endswith(" left")
    assert re.fullmatch(r"step 100/100, loss 0.5000, \S+ s each, 0 s left", lines[-1])
    assert len(lines) == 2


def test_a_slow_first_step_is_not_expected_of_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    """It compiles; the time left is told by the steps after it."""
    progress = Progress("step", 3)
    time.sleep(1.0)
    for step in (1, 2, 3):
        progress.show(step)
    first, last = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"step 1/3, 1(\.\d)? s each, 2 s left", first)
    assert float(re.fullmatch(r"step 3/3, (\S+) s each, 0 s left", last)[1]) < 0.1  # type: ignore[index]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0 s"), (12, "12 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    """Two units at most."""
    assert format_seconds(seconds) == text
