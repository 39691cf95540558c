"""The metrics table, read back from disk."""

import json
from pathlib import Path

import pandas as pd
import pytest

from lib.report.table import TABLE_KEYS, write_metrics_table
from tests.lib.report.example_batch import CAR, EXPECTED, METRICS, ROAD


def test_table_has_one_line_per_row(results: Path) -> None:
    """Each finished edited video has its own line and one per control; what is unknown is empty."""
    write_metrics_table(results, EXPECTED, {}, results / "metrics.csv")
    table = pd.read_csv(results / "metrics.csv")
    assert list(table.columns) == [*TABLE_KEYS, *METRICS]
    assert len(table) == 3 * 3
    lines = table.set_index(["clip", "edit", "method", "row"]).sort_index()
    written = json.loads((results / ROAD / "мокрая дорога/mask_lora/metrics.json").read_text())
    mean = written["rows"]["edited"]["mean"]["clip_score"]
    assert lines.loc[(ROAD, "мокрая дорога", "mask_lora", "edited"), "clip_score"] == pytest.approx(mean)
    assert pd.isna(lines.loc[(CAR, "red car", "base", "source_copy"), "motion_cosine"])


def test_table_of_nothing_has_a_heading(tmp_path: Path) -> None:
    """A batch without a finished edit still gives a table that can be read."""
    write_metrics_table(tmp_path, EXPECTED, {}, tmp_path / "metrics.csv")
    assert list(pd.read_csv(tmp_path / "metrics.csv").columns) == TABLE_KEYS


def test_table_is_written_to_the_byte(tmp_path: Path) -> None:
    """Columns in the order they come up; names as they are, quoted where they must be; all digits of a number."""
    means = {"one": {"a": 0.1 + 0.2, "b": None}, "two": {"a": 1e-07, "b": 2.0, "c": 1e16}}
    for edit, mean in means.items():
        folder = tmp_path / 'it\'s "it", а' / edit / "base"
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text(json.dumps({"rows": {"edited": {"mean": mean}, "source_copy": {}}}))
    expected = [('it\'s "it", а', edit, "base") for edit in means]
    write_metrics_table(tmp_path, expected, {}, tmp_path / "metrics.csv")
    name = '"it\'s ""it"", а"'
    lines = [
        "clip,edit,method,row,clip_name,edit_name,method_name,a,b,c",
        f"{name},one,base,edited,{name},one,base,0.30000000000000004,,",
        f"{name},one,base,source_copy,{name},one,base,,,",
        f"{name},two,base,edited,{name},two,base,1e-07,2.0,1e+16",
        f"{name},two,base,source_copy,{name},two,base,,,",
    ]
    assert (tmp_path / "metrics.csv").read_bytes() == "".join(f"{line}\n" for line in lines).encode()
