"""Metrics of a batch as a table for programs: metrics.csv."""

import csv
from pathlib import Path

from lib.core.files import whole_file
from lib.core.names import Names, method_name, name_of
from lib.report.results import Expected, read_metrics

TABLE_KEYS = ["clip", "edit", "method", "row", "clip_name", "edit_name", "method_name"]


def write_metrics_table(results: Path, expected: Expected, names: Names, output: Path) -> None:
    """Write the means of every finished edited video to a CSV file.

    One line per clip, edit, method and row ("edited" and the control rows), one column per metric. `clip`, `edit` and
    `method` are ids, as in paths: RESULTS/clip/edit/method/edited.mp4; `clip_name`, `edit_name` and `method_name` are
    what people call them.
    What is not finished has no lines; a metric that could not be measured is empty.

    Args:
        expected: clip, edit and method of each edited video of the batch, by id.
    """
    records = []
    for clip, edit, method in expected:
        for row, values in read_metrics(results / clip / edit / method).items():
            shown = (name_of(names, clip), name_of(names, clip, edit), method_name(names, clip, edit, method))
            keys = dict(zip(TABLE_KEYS, (clip, edit, method, row, *shown), strict=True))
            records.append({**keys, **values.get("mean", {})})
    columns = dict.fromkeys([*TABLE_KEYS, *(column for record in records for column in record)])
    with whole_file(output) as temporary, temporary.open("w", encoding="utf-8", newline="") as table:
        writer = csv.DictWriter(table, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
