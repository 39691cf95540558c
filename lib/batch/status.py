"""How far a batch is, read from its files alone: from any shell, with a driver or without."""

import os
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from lib.batch.activity import RunningStage, find_stage_files, read_failures, read_running
from lib.batch.files import batch_file
from lib.batch.lock import driver_facts
from lib.core.failures import Failure
from lib.core.files import read_json_or_nothing
from lib.core.names import Names, show_names
from lib.core.progress import format_seconds

State = Literal["done", "running", "waiting", "failed"]
STATES: tuple[State, ...] = ("done", "running", "waiting", "failed")
MOST_SHOWN = 20  # running stages, failures
Video = tuple[str, ...]
"""Clip, edit and method of an edited video."""


@dataclass(frozen=True)
class BatchStatus:
    """What a batch has come to.

    Args:
        driver: of `lib.batch.lock.driver_facts`.
        clips: the state of each clip.
        num_videos, num_done: edited videos, of all methods.
        seconds_left: at the rate of this run so far; None if nobody works or nothing is done yet.
        running: the stages at work.
        failures: what failed and is not being tried again, by the name of the stage.
        names: what people call clips and edits, see `lib.core.names`.
        num_left_out: problems with the inputs, for which clips or edits were left out.
    """

    results: Path
    driver: dict[str, Any]
    clips: dict[str, State]
    num_videos: int
    num_done: int
    seconds_left: float | None
    running: list[RunningStage]
    failures: dict[str, Failure]
    names: Names
    num_left_out: int


def read_status(results: Path) -> BatchStatus:
    """Read how far a batch is."""
    plan, driver = read_json_or_nothing(batch_file(results, "plan.json")), driver_facts(results)
    expected = [tuple(names) for names in plan.get("expected", [])]
    to_do = {tuple(names) for names in plan.get("to_do", [])}
    begun = plan.get("begun", 0.0)
    since = plan.get("begun_on_disk", begun)
    done = {video for video in expected if is_done(results, video, since if video in to_do else 0.0)}
    files = find_stage_files(results)
    running = read_running(files)
    unfinished = {clip for clip, *_ in set(expected) - done}
    failed = {
        name: failure
        for name, failure in read_failures(files).items()
        if name.split("/")[0] in unfinished and not (driver["lives"] and is_older(failure, begun))
    }
    clips = _clip_states(expected, unfinished, running, failed)
    left = _seconds_left(len(expected) - len(done), len(to_do & done), begun) if driver["lives"] else None
    told = (running, failed, plan.get("names", {}), plan.get("num_problems", 0))
    return BatchStatus(results, driver, clips, len(expected), len(done), left, *told)


def is_done(results: Path, video: Video, begun: float) -> bool:
    """Tell whether an edited video is there and was measured, not before a time (seconds, by `lib.core.clocks`)."""
    folder = os.path.join(results, *video)  # noqa: PTH118 - thousands of paths: pathlib takes most of the time
    try:
        return os.stat(f"{folder}/metrics.json").st_mtime >= begun and os.path.exists(f"{folder}/edited.mp4")  # noqa: PTH110, PTH116
    except OSError:
        return False


def _clip_states(
    expected: Iterable[Video], unfinished: set[str], running: Iterable[RunningStage], failed: Mapping[str, Failure]
) -> dict[str, State]:
    at_work = {stage.name.split("/")[0] for stage in running}
    broken = {name.split("/")[0] for name, failure in failed.items() if failure.kind != "interrupted"}
    states: dict[str, State] = {}
    for clip in dict.fromkeys(clip for clip, *_ in expected):
        of_unfinished: State = "running" if clip in at_work else "failed" if clip in broken else "waiting"
        states[clip] = of_unfinished if clip in unfinished else "done"
    return states


def is_older(failure: Failure, begun: float) -> bool:
    """Tell whether something failed before a time (seconds since the epoch): in an earlier run."""
    return bool(failure.at) and datetime.fromisoformat(failure.at).timestamp() < int(begun)


def _seconds_left(num_to_do: int, num_done_now: int, begun: float) -> float | None:
    return num_to_do * (time.time() - begun) / num_done_now if num_done_now else None


def describe_status(status: BatchStatus) -> str:
    """Write a status for people."""
    lines = [_describe_driver(status)]
    if not status.clips:
        return f"{lines[0]}\nNothing is planned yet."
    counts = Counter(status.clips.values())
    shown = ", ".join(f"{counts[state]} {state}" for state in STATES)
    left = f"; about {format_seconds(status.seconds_left)} left" if status.seconds_left else ""
    lines.append(f"Clips: {len(status.clips)}: {shown}. Edited videos: {status.num_done} of {status.num_videos}{left}.")
    if status.num_left_out:
        lines.append(f"Left out, for {status.num_left_out} problems with the inputs: see the log or the report.")
    lines += [f"  {_describe_stage(stage, status.names)}" for stage in status.running[:MOST_SHOWN]]
    if len(status.running) > MOST_SHOWN:
        lines.append(f"  and {len(status.running) - MOST_SHOWN} more at work")
    return "\n".join([*lines, *_describe_failures(status)])


def _describe_stage(stage: RunningStage, names: Names) -> str:
    where = f"job {stage.mark.slurm_job} on {stage.mark.host}" if stage.mark.slurm_job else stage.mark.host
    again = f", attempt {stage.mark.attempt}" if stage.mark.attempt > 1 else ""
    title = _title(stage.name, names)
    return f"{title}: {stage.progress or 'at work'} (for {format_seconds(stage.seconds)}, {where}{again})"


def _title(stage: str, names: Names) -> str:
    return "/".join(show_names(names, stage.split("/")))


def _describe_failures(status: BatchStatus) -> list[str]:
    failed = [(name, failure) for name, failure in status.failures.items() if failure.kind != "interrupted"]
    if not failed:
        return []
    lines = [f"Failed, {len(failed)} jobs; `./batch retry` runs just these again:"]
    for name, failure in failed[:MOST_SHOWN]:
        lines.append(f"  {_title(name, status.names)} (attempt {failure.attempt}): {failure.reason}")
        lines.append(f"    log: {failure.log}")
    return lines + [f"  and {len(failed) - MOST_SHOWN} more, see the report"] * (len(failed) > MOST_SHOWN)


def _describe_driver(status: BatchStatus) -> str:
    driver = status.driver
    if not driver.get("host") and not driver["lives"]:
        return f"No driver was started on {status.results}."
    who = f"{driver.get('host')}, process {driver.get('pid')}, since {driver.get('started')}"
    if driver["lives"] and driver.get("is_bare"):
        return f"A Snakemake that was started without ./batch is at work ({who})."
    if driver.get("is_bare"):
        return "No driver is at work."
    if driver["lives"]:
        return f"A driver is at work ({who})."
    if driver.get("ended"):
        return f"The driver ended at {driver['ended']}: {driver['outcome']}."
    return f"The driver died ({who}): `./batch resume` goes on."
