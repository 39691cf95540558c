"""Write what a person reads of a finished run: what made it, its tables, and how long its jobs took."""

import csv
import hashlib
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import yaml

from demo.evaluation.batch import DRIFTED, MOVING, Batch
from demo.evaluation.scenes import MAIN_EDITS, PAIR_EDITS
from demo.evaluation.table import coverage_line, drift_table, kind_table, markdown, method_table, reference_table
from lib.config.settings import Config
from lib.core.progress import format_seconds
from lib.core.provenance import package_versions


def describe_run(configfile: Path | None, config: Config, models: Mapping[str, str], seconds: float) -> list[str]:
    """Say what made the table: command, settings, models, versions and time."""
    changed = yaml.safe_load(configfile.read_text(encoding="utf-8")) if configfile else {}
    versions = ", ".join(f"{name} {number}" for name, number in package_versions().items())
    facts = [
        f"- made {datetime.now(UTC).isoformat(timespec='minutes')} in {format_seconds(seconds)} (this run alone)",
        f"- command: `python -m demo.evaluation {shlex.join(sys.argv[1:])}`",
        f"- settings: {_short_hash(config.model_dump())}; beside config.yaml: `{json.dumps(changed)}`",
        f"- models: {config.model.name}, {_short_hash(models)}",
        f"- versions: {versions}",
    ]
    reading = (
        "Means ± standard deviations over scenes, medians of centroid errors; frame 0, which is given, is left out. "
        "Background: what the edit truly leaves alone; outside mask: what the model was told to keep; late: the last "
        "quarter of the clip; lost: nothing like the edited figure is in the frame. "
        "Seam: the step along the mask's edge that the truth does not have, in levels of 255. "
        "VAE ceiling: the truth through the VAE. Source copy: the source as if it were the output."
    )
    return ["# Edits measured against their ground truth", "\n".join(facts), reading]


def write_tables(rows: pd.DataFrame, batches: Sequence[Batch]) -> list[str]:
    """Write the tables of each set of scenes of which anything was measured."""
    if rows.empty:
        return ["Nothing was made that could be measured."]
    sections = []
    drifted = rows[rows["set"] == DRIFTED]
    for batch in batches:
        chosen = rows[rows["set"] == batch.name]
        if batch.correction is not None:
            continue
        if chosen.empty:
            continue
        if batch.edits == PAIR_EDITS:
            sections += ["## Two edits of a clip", method_table(chosen, batch.methods), coverage_line(chosen)]
        elif batch.edits == MAIN_EDITS:
            title = "## Under a moving camera" if batch.name == MOVING else "## All scenes"
            sections += [title, method_table(chosen, batch.methods), coverage_line(chosen)]
            sections += ["## By kind of edit", kind_table(chosen, batch.methods)]
        else:
            (method,) = batch.methods
            sections += [f"## Edits that change late, by {method}", reference_table(chosen, method)]
            sections += [coverage_line(chosen)]
    if not drifted.empty:
        labels = [batch.label(batch.methods[0]) for batch in batches if batch.correction is not None]
        sections += ["## Edited first frames whose colours drifted", drift_table(drifted, labels)]
    return sections


def job_table(batches: Sequence[Batch]) -> str:
    """Write how long the workflow's jobs took, by rule, whenever they ran."""
    times: dict[str, list[float]] = {}
    for batch in batches:
        for scene in batch.scenes:
            for path in sorted((batch.results / "benchmarks" / scene.name).rglob("*.tsv")):
                times.setdefault(path.name.partition(".")[0], []).append(_read_seconds(path))
    lines = [
        [rule, str(len(seconds)), f"{sum(seconds) / len(seconds):.1f}", format_seconds(sum(seconds))]
        for rule, seconds in sorted(times.items())
    ]
    return "## Jobs\n\n" + markdown(["rule", "jobs", "seconds each", "together"], lines)


def _read_seconds(benchmark: Path) -> float:
    with benchmark.open(encoding="utf-8", newline="") as table:
        return sum(float(line["s"]) for line in csv.DictReader(table, delimiter="\t"))


def _short_hash(content: object) -> str:
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
