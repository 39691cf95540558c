"""Write metrics.csv and the report page, from whatever of a batch there is."""

from pathlib import Path
from typing import Any

from lib.config.sections import ReportSection
from lib.core.provenance import package_versions
from lib.report.page import write_report
from lib.report.table import write_metrics_table
from lib.stages.job import Files, Params


class Outputs(Files):
    """The page, and the table for programs, which stands in the results folder."""

    page: Path
    table: Path


class Report(Params):
    """What the report is about.

    report: the whole section. expected: clip, edit and method of each edited video of the batch, by id. names: see
    `lib.core.names`. problems: with the inputs, each with the fields of `lib.core.errors.Problem`.
    """

    report: ReportSection
    expected: list[tuple[str, str, str]]
    names: dict[str, str]
    problems: list[dict[str, Any]]


def report(outputs: Outputs, params: Report) -> None:
    """Write table and page."""
    write_all(outputs.table.parent, params.expected, params.names, params.problems, params.report.title)


def write_all(
    results: Path,
    expected: list[tuple[str, str, str]],
    names: dict[str, str],
    problems: list[dict[str, Any]],
    title: str,
) -> None:
    """Write the table and the page of a results folder; also called where a batch ends with failures."""
    write_metrics_table(results, expected, names, results / "metrics.csv")
    write_report(results, expected, names, problems, title, package_versions(), results / "report" / "index.html")
