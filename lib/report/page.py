"""Metrics and videos of a batch as a table for programs and a page for people.

The page is one HTML file beside a folder of media. It needs no server and makes no request to the network,
so the folder can be copied or sent away and opened from disk.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lib.core.files import whole_file
from lib.core.names import Names
from lib.core.progress import format_seconds
from lib.report.media import remove_stale_media
from lib.report.metric_labels import Metric, format_metric, list_metrics
from lib.report.results import EditedVideo, Expected, Stage, read_edited_videos
from lib.report.sections import make_section

TEMPLATES = Path(__file__).parent / "templates"


def write_report(
    results: Path,
    expected: Expected,
    names: Names,
    problems: Sequence[Mapping[str, Any]],
    title: str,
    versions: Mapping[str, str],
    output: Path,
) -> None:
    """Write the page and its media; what is missing, failed or cut off is named on the page.

    Args:
        expected: clip, edit and method of each edited video of the batch, by id.
        problems: what was wrong with the inputs, each with the fields of `lib.core.errors.Problem`.
        versions: name and version of each piece of software to name at the top.
        output: the page; media go to the folder `media` beside it.
    """
    videos = read_edited_videos(results, expected, names)
    metrics = list_metrics(videos)
    by_edit = {key: list(group) for key, group in groupby(sorted(videos, key=_edit_key), key=_edit_key)}
    order = dict.fromkeys(_edit_key(video) for video in videos)
    sections = [
        {"id": f"edit-{number}", **make_section(by_edit[key], metrics, results, output.parent)}
        for number, key in enumerate(order, start=1)
    ]
    page = (
        _environment()
        .get_template("report.html.jinja")
        .render(
            title=title,
            written=datetime.now(UTC),
            versions=versions,
            problems=problems,
            num_left_out=len({(problem.get("clip"), problem.get("edit")) for problem in problems}),
            videos=videos,
            counts=Counter(video.status for video in videos),
            seconds=sum(stage.seconds or 0 for stage in _all_stages(videos)),
            failures=_group_failures(videos),
            metrics=metrics,
            key_metrics=[metric for metric in metrics if metric.is_key],
            means=_mean_by_method(videos, metrics),
            doubtful=[section for section in sections if section["mask"].get("needs_a_look")],
            sections=sections,
            results=results,
        )
    )
    with whole_file(output) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="replace")
    # After the page: the one it replaces stays complete until then.
    remove_stale_media(output.parent, _list_addresses(sections))


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "ensure_ascii": False}
    environment.filters["duration"] = format_seconds
    environment.filters["metric"] = format_metric
    # Our own style sheet and script go in as they are: escaping would break them.
    environment.globals["verbatim"] = lambda name: Markup((TEMPLATES / name).read_text(encoding="utf-8"))
    return environment


def _edit_key(video: EditedVideo) -> tuple[str, str]:
    return video.clip, video.edit


def _all_stages(videos: Sequence[EditedVideo]) -> list[Stage]:
    """Return each job once, however many edited videos share it."""
    return list({stage.name: stage for video in videos for stage in video.stages}.values())


def _group_failures(videos: Sequence[EditedVideo]) -> list[tuple[Stage, list[EditedVideo]]]:
    """Return each failed job once with the edited videos that it holds up."""
    failures: dict[str, tuple[Stage, list[EditedVideo]]] = {}
    for video in videos:
        if video.failure is not None:
            failures.setdefault(video.failure.name, (video.failure, []))[1].append(video)
    return list(failures.values())


def _mean_by_method(
    videos: Sequence[EditedVideo], metrics: Sequence[Metric]
) -> list[tuple[str, int, dict[str, float | None]]]:
    """Return method, number of finished videos and mean of each metric over the edited rows."""
    means = []
    for method in dict.fromkeys(video.method for video in videos):
        rows = [video.edited_means for video in videos if video.method == method and video.status == "done"]
        means.append((method, len(rows), {metric.name: _mean(rows, metric.name) for metric in metrics}))
    return means


def _mean(rows: Sequence[Mapping[str, float | None]], name: str) -> float | None:
    measured = [value for row in rows if (value := row.get(name)) is not None]
    return fmean(measured) if measured else None


def _list_addresses(sections: Sequence[Mapping[str, Any]]) -> set[str]:
    media = [entry["src"] for section in sections for entry in (*section["players"], *section["pictures"])]
    thumbnails = [section["thumbnail"] for section in sections if section["thumbnail"]]
    return {*media, *thumbnails}
