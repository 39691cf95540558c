"""What the page itself shows of each edit, as plain values: rows of table and gallery, and what needs a look.

All else of an edit is in its part, so that a page of thousands of edits stays small.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from lib.core.progress import format_seconds
from lib.report.gallery import make_source, make_tile
from lib.report.metric_labels import KNOWN_METRICS, Metric, format_metric
from lib.report.results import EditedVideo, Stage

NOTHING = "–"
Cell = str | tuple[float, str]
"""What a cell of the table shows; before it, where it is a number, what to sort by."""
Row = dict[str, Any]
"""An edited video: `id` of its edit, `thumbnail`, `warnings`, `tile`, and a Cell for each column of the table."""


@dataclass(frozen=True)
class EditSummary:
    """What is kept of an edit when its part is written.

    Args:
        rows: one per method.
        source: what the gallery draws of its clip's source.
        mask: what is known of its mask, where a person should look at it.
        failures: each failed job, with the row that it holds up.
        seconds: of each job that led to it, shared ones among them.
        addresses: of its files in the page's folder.
    """

    rows: list[Row]
    source: dict[str, Any]
    mask: dict[str, Any]
    failures: list[tuple[Stage, Row]]
    seconds: dict[str, float]
    addresses: list[str]


def summarize(videos: Sequence[EditedVideo], section: dict[str, Any], addresses: list[str]) -> EditSummary:
    """Keep of one edit what the page itself shows.

    Args:
        videos: its edited videos, one per method.
        section: what its part shows.
    """
    rows = [_make_row(video, section) for video in videos]
    mask = section["mask"]
    return EditSummary(
        rows,
        make_source(section),
        {key: mask.get(key) for key in ("method", "confidence")} if mask.get("needs_a_look") else {},
        [(video.failure, row) for video, row in zip(videos, rows, strict=True) if video.failure],
        {stage.name: stage.seconds or 0 for video in videos for stage in video.stages},
        addresses,
    )


def _make_row(video: EditedVideo, section: dict[str, Any]) -> Row:
    mask = section["mask"]
    means = video.edited_means
    metrics = [metric for metric in KNOWN_METRICS if metric.is_key and metric.name in means]
    confidence = mask.get("confidence")
    return {
        "id": section["id"],
        "thumbnail": section["thumbnail"],
        "warnings": "; ".join(mask.get("warnings") or []),
        "tile": make_tile(video, section),
        "clip": video.clip_name,
        "edit": video.edit_name,
        "method": video.method_name,
        "status": video.status,
        **{metric.name: _number(means[metric.name], format_metric(means[metric.name], metric)) for metric in metrics},
        "mask": mask.get("method") or NOTHING,
        "confidence": _number(confidence, f"{confidence:.2f}") if isinstance(confidence, int | float) else NOTHING,
        "time": NOTHING if video.seconds is None else _number(video.seconds, format_seconds(video.seconds)),
    }


def _number(value: float | None, shown: str) -> Cell:
    """Return a cell, of no more digits than order needs; JSON has no word for a number that is not finite."""
    return (float(f"{value:.7g}"), shown) if value is not None and math.isfinite(value) else shown


def key_metrics(rows: Sequence[Row]) -> list[Metric]:
    """Return the metrics that have a column in the table."""
    return [metric for metric in KNOWN_METRICS if metric.is_key and any(metric.name in row for row in rows)]


def mean_by_method(rows: Sequence[Row], metrics: Sequence[Metric]) -> list[tuple[str, int, dict[str, float | None]]]:
    """Return method, number of finished videos and mean of each metric over them."""
    means = []
    for method in dict.fromkeys(row["method"] for row in rows):
        done = [row for row in rows if row["method"] == method and row["status"] == "done"]
        means.append((method, len(done), {metric.name: _mean(done, metric.name) for metric in metrics}))
    return means


def _mean(rows: Sequence[Row], name: str) -> float | None:
    measured = [row[name][0] for row in rows if isinstance(row.get(name), tuple)]
    return fmean(measured) if measured else None


def group_failures(summaries: Sequence[EditSummary]) -> list[tuple[Stage, list[Row]]]:
    """Return each failed job once with the edited videos that it holds up."""
    failures: dict[str, tuple[Stage, list[Row]]] = {}
    for summary in summaries:
        for stage, row in summary.failures:
            failures.setdefault(stage.name, (stage, []))[1].append(row)
    return list(failures.values())
