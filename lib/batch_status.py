"""How far a batch is, read from its files alone: from any shell, with a driver or without."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lib.batch_files import batch_file, read_facts
from lib.batch_lock import driver_facts

State = Literal["done", "running", "waiting", "failed"]
STATES: tuple[State, ...] = ("done", "running", "waiting", "failed")


@dataclass(frozen=True)
class BatchStatus:
    """What a batch has come to.

    Args:
        results: the results folder.
        driver: of `lib.batch_lock.driver_facts`.
        clips: the state of each clip.
        num_edits, num_edits_done: edited videos, of all methods.
    """

    results: Path
    driver: dict[str, Any]
    clips: dict[str, State]
    num_edits: int
    num_edits_done: int


def read_status(results: Path) -> BatchStatus:
    """Read how far a batch is."""
    plan = read_facts(batch_file(results, "plan.json"))
    expected = [tuple(names) for names in plan.get("expected", [])]
    to_do = {tuple(names) for names in plan.get("to_do", [])}
    begun = plan.get("begun", 0.0)
    done = {names: _is_done(results, names, begun if names in to_do else 0.0) for names in expected}
    clips: dict[str, State] = {}
    for clip in dict.fromkeys(clip for clip, _, _ in expected):
        clips[clip] = "done" if all(finished for names, finished in done.items() if names[0] == clip) else "waiting"
    return BatchStatus(results, driver_facts(results), clips, len(done), sum(done.values()))


def _is_done(results: Path, names: Sequence[str], begun: float) -> bool:
    folder = results.joinpath(*names)
    try:
        return (folder / "metrics.json").stat().st_mtime >= begun and (folder / "edited.mp4").exists()
    except OSError:
        return False


def describe_status(status: BatchStatus) -> str:
    """Write a status for people."""
    counts = {state: sum(known == state for known in status.clips.values()) for state in STATES}
    shown = ", ".join(f"{number} {state}" for state, number in counts.items())
    videos = f"{status.num_edits_done} of {status.num_edits} edited videos"
    return f"{_describe_driver(status)}\n{len(status.clips)} clips: {shown} ({videos})"


def _describe_driver(status: BatchStatus) -> str:
    driver = status.driver
    if not driver.get("pid"):
        return f"No driver was started on {status.results}."
    who = f"{driver['host']}, process {driver['pid']}, since {driver['started']}"
    if driver["lives"]:
        return f"A driver is at work ({who})."
    if driver.get("ended"):
        return f"The driver ended at {driver['ended']} with exit code {driver['exit_code']}."
    return f"The driver died ({who}): `./batch resume` goes on."
