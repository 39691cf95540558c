"""The stages of a batch that run now, and those that failed, as the files beside their logs tell."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from lib.core import failures
from lib.core import marks as stage_marks
from lib.core.clocks import time_on_disk
from lib.core.failures import KILLED, Failure, read_failure, write_failure
from lib.core.marks import Mark, read_mark, still_runs

PROGRESS = re.compile(r"^(?P<title>\S.*) (?P<step>\d+)/(?P<num_steps>\d+),.* left$", re.MULTILINE)
TAIL_BYTES = 4096


@dataclass(frozen=True)
class RunningStage:
    """A stage at work.

    Args:
        name: path below logs/ without suffix, such as `car-turn/red-car/align_edit`.
        progress: the last that its log says of steps, their time and the time left; empty if it says nothing of them.
        seconds: since it began.
    """

    name: str
    mark: Mark
    progress: str
    seconds: float


@dataclass(frozen=True)
class StageFiles:
    """Marks and failures of a results folder, by the name of the stage, and when they were looked for.

    Args:
        now: seconds since the epoch, by the clock of the disk that holds them.
    """

    marks: dict[str, Path]
    failures: dict[str, Path]
    now: float


def find_stage_files(results: Path, clips: Iterable[str] | None = None) -> StageFiles:
    """Find what stages left beside their logs.

    Args:
        clips: to look at, beside what is of no clip; None: all that have logs.
    """
    logs, found = results / "logs", StageFiles({}, {}, time_on_disk(results))
    folders: Iterator[tuple[str | Path, list[str], list[str]]]
    if clips is None:
        folders = os.walk(logs)
    else:
        of_clips = (walked for clip in clips for walked in os.walk(logs / clip))
        folders = chain(islice(os.walk(logs), 1), of_clips)
    for folder, _, names in folders:
        for suffix, kept in ((stage_marks.SUFFIX, found.marks), (failures.SUFFIX, found.failures)):
            for name in names:
                if name.endswith(suffix) and not name.startswith("."):
                    path = Path(folder, name)
                    kept[path.relative_to(logs).as_posix().removesuffix(suffix)] = path
    return found


def read_running(files: StageFiles) -> list[RunningStage]:
    """Return the stages that are at work, the oldest first."""
    running = []
    for name, path in files.marks.items():
        mark = read_mark(path)
        if mark and still_runs(path, mark, files.now):
            seconds = max(0.0, files.now - mark.started)
            running.append(RunningStage(name, mark, read_progress(_log_of(path, stage_marks.SUFFIX)), seconds))
    return sorted(running, key=lambda stage: stage.mark.started)


def read_failures(files: StageFiles) -> dict[str, Failure]:
    """Return the stages that failed, and those that were killed, by name."""
    found = {}
    for name, path in files.failures.items():
        failure = read_failure(_log_of(path, failures.SUFFIX))
        if failure:
            found[name] = failure
    for name, path in files.marks.items():
        mark = read_mark(path)
        if mark and not still_runs(path, mark, files.now):
            found[name] = Failure("other", KILLED, mark.attempt, "", mark.log, [])
    return found


def settle_killed(results: Path, nothing_runs: bool) -> None:
    """Turn what killed stages left into failures, so that they are told like others.

    Args:
        nothing_runs: whether no stage of this batch can be at work any more, wherever it began.
    """
    files = find_stage_files(results)
    for path in files.marks.values():
        mark = read_mark(path)
        if mark and (nothing_runs or not still_runs(path, mark, files.now)):
            log, tail = _log_of(path, stage_marks.SUFFIX), list[str]()
            with suppress(FileNotFoundError):  # killed before it opened its log
                tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-failures.TAIL_LINES :]
            write_failure(log, "other", KILLED, mark.attempt, tail)
            path.unlink(missing_ok=True)


def read_progress(log: Path) -> str:
    """Return the last line of a log that tells steps and time left; empty if there is none."""
    try:
        with log.open("rb") as content:
            content.seek(max(0, log.stat().st_size - TAIL_BYTES))
            text = content.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    lines = [match.group() for match in PROGRESS.finditer(text)]
    return lines[-1] if lines else ""


def _log_of(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name.removesuffix(suffix)}.log")
