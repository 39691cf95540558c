"""Metrics and videos of a batch as a page for people.

The page is one HTML file beside a folder of media and one of parts: the page itself holds gallery and table, as one
list of rows, and each edit's videos, metrics and curves are a part that is loaded when it is asked for, so that
thousands of edits open at once. It needs no server and makes no request to the network: the folder can be copied or
sent away and opened from disk.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lib.core.files import whole_file
from lib.core.names import Names
from lib.core.progress import format_seconds
from lib.report.gallery import HEADLINES
from lib.report.media import remove_stale_files
from lib.report.metric_labels import format_metric
from lib.report.parts import write_part
from lib.report.results import EditedVideo, Expected, read_edited_videos
from lib.report.rows import EditSummary, group_failures, key_metrics, mean_by_method, summarize
from lib.report.sections import list_media, make_section

TEMPLATES = Path(__file__).parent / "templates"
ROWS_PER_PAGE = 100
TILES_PER_PAGE = 12
MOST_SHOWN = 3  # problems, failures and doubtful masks each, before the table; the rest on demand


def write_report(
    results: Path,
    expected: Expected,
    names: Names,
    problems: Sequence[Mapping[str, Any]],
    title: str,
    versions: Mapping[str, str],
    output: Path,
) -> None:
    """Write the page, its parts and its media; what is missing, failed or cut off is named on the page.

    Args:
        expected: clip, edit and method of each edited video of the batch, by id.
        problems: what was wrong with the inputs, each with the fields of `lib.core.errors.Problem`.
        versions: name and version of each piece of software to name at the top.
        output: the page; the folders `media` and `parts` are beside it.
    """
    environment = page_environment(TEMPLATES)
    edits = _by_edit(results, expected, names)
    summaries = [_write_edit(videos, results, output.parent, environment) for videos in edits]
    rows = [row for summary in summaries for row in summary.rows]
    lists: dict[str, Sequence[Any]] = {
        "problems": problems,
        "failures": group_failures(summaries),
        "doubtful": [(summary.rows[0], summary.mask) for summary in summaries if summary.mask],
    }
    rests = _write_rests(lists, output.parent, environment)
    page = environment.get_template("report.html.jinja").render(
        title=title,
        written=datetime.now(UTC),
        versions=versions,
        num_left_out=len({(problem.get("clip"), problem.get("edit")) for problem in problems}),
        counts=Counter(row["status"] for row in rows),
        seconds=sum({name: time for summary in summaries for name, time in summary.seconds.items()}.values()),
        headlines=[headline for headline in HEADLINES if any(headline.metric.name in row for row in rows)],
        metrics=key_metrics(rows),
        means=mean_by_method(rows, key_metrics(rows)),
        rows=rows,
        sources={summary.rows[0]["id"].split("/")[0]: summary.source for summary in summaries},
        rows_per_page=ROWS_PER_PAGE,
        tiles_per_page=TILES_PER_PAGE,
        most_shown=MOST_SHOWN,
        **lists,
    )
    with whole_file(output) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="replace")
    # After the page: the one it replaces stays complete until then.
    remove_stale_files(output.parent, {*rests, *(address for summary in summaries for address in summary.addresses)})


def _by_edit(results: Path, expected: Expected, names: Names) -> Iterator[list[EditedVideo]]:
    """Yield the edited videos of each edit together, one per method, edits in the order they come up."""
    order: dict[tuple[str, str], int] = {}
    for clip, edit, _ in expected:
        order.setdefault((clip, edit), len(order))
    arranged = sorted(expected, key=lambda video: order[video[0], video[1]])
    for _, videos in groupby(read_edited_videos(results, arranged, names), key=lambda video: (video.clip, video.edit)):
        yield list(videos)


def _write_edit(
    videos: Sequence[EditedVideo], results: Path, page_folder: Path, environment: Environment
) -> EditSummary:
    section = make_section(videos, results, page_folder)
    html = environment.get_template("edit.html.jinja").render(section=section, headlines=HEADLINES)
    part = write_part(page_folder, f"edits/{videos[0].clip}/{videos[0].edit}", {"html": html, **section["drawn"]})
    return summarize(videos, section, [part, *list_media(section)])


def _write_rests(lists: Mapping[str, Sequence[Any]], page_folder: Path, environment: Environment) -> list[str]:
    """Write what the page leaves out of each list as a part; return the parts' addresses."""
    macros = environment.get_template("lists.html.jinja").module
    return [
        write_part(page_folder, name, {"html": getattr(macros, name)(entries[MOST_SHOWN:])})
        for name, entries in lists.items()
        if len(entries) > MOST_SHOWN
    ]


def page_environment(*folders: Path) -> Environment:
    """Return what draws pages from templates; `verbatim` puts a style sheet or script of the folders in as it is."""
    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "ensure_ascii": False}
    environment.filters["duration"] = format_seconds
    environment.filters["metric"] = format_metric
    # Our own style sheet and script go in as they are: escaping would break them.
    files = {path.name: path for folder in folders for path in folder.iterdir()}
    environment.globals["verbatim"] = lambda name: Markup(files[name].read_text(encoding="utf-8"))
    return environment
