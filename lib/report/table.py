"""Metrics of a batch as a table for programs: metrics.csv."""

from pathlib import Path

import pandas as pd

from lib.core.files import whole_file
from lib.report.results import Expected, read_metrics

TABLE_KEYS = ["clip", "edit", "method", "row"]


def write_metrics_table(results: Path, expected: Expected, output: Path) -> None:
    """Write the means of every finished edited video to a CSV file.

    One line per clip, edit, method and row ("edited" and the control rows), one column per metric. What is
    not finished has no lines; a metric that could not be measured is empty.

    Args:
        expected: clip, edit and method of each edited video of the batch.
    """
    records = []
    for clip, edit, method in expected:
        for row, values in read_metrics(results / clip / edit / method).items():
            keys = dict(zip(TABLE_KEYS, (clip, edit, method, row), strict=True))
            records.append({**keys, **values.get("mean", {})})
    table = pd.DataFrame(records) if records else pd.DataFrame(columns=TABLE_KEYS)
    with whole_file(output) as temporary:
        table.to_csv(temporary, index=False, encoding="utf-8")
