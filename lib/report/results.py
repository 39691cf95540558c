"""Read what a batch has made so far: results, logs and measured times, whole or partly missing.

Nothing here raises for a result that is missing or cut off: the report has to be written above all when
something went wrong.
"""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from lib.core.failures import FAILED, FINISHED, KILLED, SUFFIX, TAIL_LINES, Failure, failure_path, read_failure
from lib.core.files import read_json_or_nothing
from lib.core.names import Names, is_outside, method_name, name_of, show_names
from lib.report.outcomes import SHARED, LastRun, Outcome, has_failed, is_done, judge, leads_to, read_last_run

Expected = Sequence[tuple[str, str, str]]
"""Clip, edit and method of each edited video of the batch, by id."""

TAIL_BYTES = 16_384
SECONDS = re.compile(rf"^{FINISHED}([\d.]+) s$")


@dataclass(frozen=True)
class Stage:
    """One job's log.

    Args:
        name: path below logs/ without suffix, such as `car-turn/red-car/align_edit`.
        title: the same with the names of clip and edit, for people.
        seconds: how long the job took; None unless it finished.
        max_memory: peak resident memory in MiB; None where it was not measured.
        reason: why it did not finish; None if it did.
        failure: what the job itself said of it; None where it could not, or it finished.
        tail: last lines of the log of a job that did not finish.
        ended: when the log was last written to, in seconds since the epoch.
    """

    name: str
    title: str
    log: Path
    seconds: float | None
    max_memory: float | None
    reason: str | None
    failure: Failure | None
    tail: list[str]
    ended: float


@dataclass(frozen=True)
class EditedVideo:
    """One clip, edit and method with all that is known of it.

    Args:
        clip, edit: ids.
        clip_name, edit_name, method_name: what people call them; a method that another tool is is said to be one.
        measures: what metrics.json says of it; empty before it is evaluated.
        provenance: what made the edited video: settings, seed, versions, hashes, seconds.
        stages: the jobs that led to it, shared ones included, by the time they ended.
        failure: the job that did not finish; None unless status is "failed".
    """

    clip: str
    edit: str
    method: str
    clip_name: str
    edit_name: str
    method_name: str
    folder: Path
    status: Outcome
    measures: dict[str, Any]
    provenance: dict[str, Any]
    stages: list[Stage]
    failure: Stage | None

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        """Metrics by row ("edited" and the control rows), each with "mean" and "per_frame"."""
        rows: dict[str, dict[str, Any]] = self.measures.get("rows", {})
        return rows

    @property
    def edited_means(self) -> dict[str, float | None]:
        """Means of the edited video's own metrics; empty before it is evaluated."""
        means: dict[str, float | None] = self.rows.get("edited", {}).get("mean", {})
        return means

    @property
    def seconds(self) -> float | None:
        """Time of the jobs that made this edited video alone; None before any of them finished."""
        own = f"{self.clip}/{self.edit}/{self.method}/"
        times = [stage.seconds for stage in self.stages if stage.seconds is not None and stage.name.startswith(own)]
        return sum(times) if times else None


def read_measures(folder: Path) -> dict[str, Any]:
    """Return a method's metrics.json, its rows with the further scores that were measured; empty if it is missing.

    A score that is older than the edited video is of another one, made before: it is left out.
    """
    measures = read_json_or_nothing(folder / "metrics.json")
    scores = sorted((folder / "scores").glob("*.json")) if measures else []
    with suppress(OSError):
        made = (folder / "edited.mp4").stat().st_mtime
        for path in (path for path in scores if path.stat().st_mtime >= made):
            for row, values in read_json_or_nothing(path).get("rows", {}).items():
                for kind in values.keys() & measures["rows"].get(row, {}).keys():
                    measures["rows"][row][kind].update(values[kind])
    return measures


def read_metrics(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of a method's metrics, see `read_measures`; none if they are missing."""
    rows: dict[str, dict[str, Any]] = read_measures(folder).get("rows", {})
    return rows


def read_edited_videos(results: Path, expected: Expected, names: Names) -> Iterator[EditedVideo]:
    """Yield one entry per expected edited video, in the same order, whatever became of it.

    One at a time, since thousands with all their frames' metrics fill the memory. A clip's logs are read once where
    its edited videos follow one another.
    """
    run, shared = read_last_run(results), read_stages(results, SHARED, names)
    for clip, videos in groupby(expected, key=lambda video: video[0]):
        stages = sorted([*shared, *read_stages(results, clip, names)], key=lambda stage: stage.ended)
        for _, edit, method in videos:
            own = [stage for stage in stages if leads_to(stage.name, edit, method)]
            yield _read_edited_video(results, (clip, edit, method), names, own, run)


def read_stages(results: Path, clip: str, names: Names) -> list[Stage]:
    """Return a clip's jobs by the time they ended."""
    found = [_read_stage(log, results, names) for log in _list_logs(results / "logs" / clip)]
    return sorted(found, key=lambda stage: stage.ended)


def _list_logs(folder: Path) -> list[Path]:
    """List the logs of stages that began, or failed before they could: Snakemake leaves empty logs of all others."""
    began = {log for log in folder.rglob("*.log") if log.stat().st_size > 0}
    failed = {path.with_name(f"{path.name.removesuffix(SUFFIX)}.log") for path in folder.rglob(f"*{SUFFIX}")}
    return sorted(began | failed)


def read_losses(path: Path) -> tuple[list[int], list[float]]:
    """Return steps and losses of a loss curve; lines after a cut-off one are left out."""
    steps, losses = [], []
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            steps.append(int(entry["step"]))
            losses.append(float(entry["loss"]))
    except (OSError, ValueError, KeyError, TypeError):
        return steps[: len(losses)], losses
    return steps, losses


def _read_edited_video(
    results: Path, video: tuple[str, str, str], names: Names, stages: list[Stage], run: LastRun
) -> EditedVideo:
    clip, edit, method = video
    folder = results / clip / edit / method
    measures = read_measures(folder)
    failed = [stage for stage in stages if stage.reason and has_failed(stage.failure)]
    status = judge(video, is_done(results, video, run), [stage.name for stage in failed])
    # The last one: a job that fails later in the data flow than another has left its log from an earlier run.
    failure = failed[-1] if status == "failed" else None
    provenance = read_json_or_nothing(folder / "edited.json")
    shown = (name_of(names, clip), name_of(names, clip, edit), _label(names, *video))
    return EditedVideo(clip, edit, method, *shown, folder, status, measures, provenance, stages, failure)


def _label(names: Names, clip: str, edit: str, method: str) -> str:
    return f"{method_name(names, clip, edit, method)} (outside)" if is_outside(method) else method


def _read_stage(log: Path, results: Path, names: Names) -> Stage:
    name = log.relative_to(results / "logs").with_suffix("")
    tail = _read_tail(log)
    last = tail[-1].strip() if tail else ""
    finished = SECONDS.match(last)
    failure = None if finished else read_failure(log)
    said = last.removeprefix(FAILED) if last.startswith(FAILED) else failure.reason if failure else KILLED
    return Stage(
        name=name.as_posix(),
        title="/".join(show_names(names, name.parts)),
        log=log,
        seconds=float(finished[1]) if finished else None,
        max_memory=_read_max_memory(results / "benchmarks" / name.with_name(f"{name.name}.tsv")),
        reason=None if finished else said,
        failure=failure,
        tail=[] if finished else tail,
        ended=(log if log.exists() else failure_path(log)).stat().st_mtime,
    )


def _read_tail(log: Path) -> list[str]:
    """Return the last lines of a log as a terminal would show them; none of a stage that never had one."""
    if not log.exists():
        return []
    with log.open("rb") as content:
        content.seek(max(0, log.stat().st_size - TAIL_BYTES))
        text = content.read().decode("utf-8", errors="replace")
    # A progress bar rewrites its line after each carriage return: only its last state was ever meant to stay.
    lines = [line.rstrip("\r").rpartition("\r")[2].rstrip() for line in text.split("\n")]
    return [line for line in lines if line][-TAIL_LINES:]


def _read_max_memory(benchmark: Path) -> float | None:
    try:
        with benchmark.open(encoding="utf-8", newline="") as table:
            return max(float(row["max_rss"]) for row in csv.DictReader(table, delimiter="\t"))
    except (OSError, ValueError, KeyError, TypeError):  # Snakemake writes "NA" for jobs too short to sample
        return None
