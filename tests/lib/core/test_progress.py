"""Progress, and durations for people."""

import re

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


def test_a_slow_first_step_is_not_expected_of_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It compiles; the time left is told by the steps after it. By a clock of our own: 100 s, then 2 s a step."""
    clock = iter([0.0, 100.0, 102.0, 104.0, 106.0])
    monkeypatch.setattr("lib.core.progress.time.perf_counter", lambda: next(clock))
    progress = Progress("step", 4)
    for step in (1, 2, 3, 4):
        progress.show(step)
    assert capsys.readouterr().out.splitlines() == [
        "step 1/4, 1e+02 s each, 5 min 0 s left",
        "step 4/4, 2 s each, 0 s left",
    ]


def test_steps_between_are_shown_every_few_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Steps of two seconds: after the first, each third."""
    clock = iter(range(0, 100, 2))
    monkeypatch.setattr("lib.core.progress.time.perf_counter", lambda: next(clock))
    progress = Progress("step", 10)
    for step in range(1, 11):
        progress.show(step)
    assert [line.split("/")[0] for line in capsys.readouterr().out.splitlines()] == [
        "step 1",
        "step 4",
        "step 7",
        "step 10",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0 s"), (12, "12 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    """Two units at most."""
    assert format_seconds(seconds) == text
