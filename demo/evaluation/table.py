"""Sum up the rows of all scenes in tables for people."""

from collections.abc import Sequence

import pandas as pd

from demo.evaluation.rows import CONTROLS
from demo.evaluation.scenes import WITH_REFERENCE, WITHOUT_REFERENCE

MEASURES = {
    "background_psnr": "background dB",
    "kept_psnr": "outside mask dB",
    "edit_psnr": "edit dB",
    "late_edit_psnr": "late edit dB",
    "centroid_error": "centroid error px",
    "lost_share": "frames lost",
    "seam": "seam levels",
}
"""Columns of the tables, and their headings."""

DRIFT_MEASURES = {
    "first_jump": "jump from frame 0 to 1, levels",
    "kept_psnr": "outside mask dB",
    "background_psnr": "background dB",
    "edit_psnr": "edit dB",
}

EVOLVING_MEASURES = ("late_edit_psnr", "edit_psnr", "background_psnr", "centroid_error", "lost_share")
DIFFERENCE = "difference"


def method_table(rows: pd.DataFrame, methods: Sequence[str]) -> str:
    """Write the main table: one line for each method and control row, over all scenes."""
    lines = [
        [method, str(len(chosen)), *(_summarise(chosen[name]) for name in MEASURES)]
        for method, chosen in _by_method(rows, methods)
    ]
    return markdown(["method", "scenes", *MEASURES.values()], lines)


def kind_table(rows: pd.DataFrame, methods: Sequence[str]) -> str:
    """Write the same by kind of edit."""
    lines = [
        [str(kind), method, str(len(chosen)), *(_summarise(chosen[name]) for name in MEASURES)]
        for kind, of_kind in rows.groupby("kind", sort=False)
        for method, chosen in _by_method(of_kind, methods)
    ]
    return markdown(["kind", "method", "scenes", *MEASURES.values()], lines)


def reference_table(rows: pd.DataFrame, method: str) -> str:
    """Write what a reference brings where the edit changes late in the clip, scene by scene."""
    without, given = (_of_edit(rows, edit, method) for edit in (WITHOUT_REFERENCE, WITH_REFERENCE))
    parts = {WITHOUT_REFERENCE: without, WITH_REFERENCE: given, DIFFERENCE: (given - without).dropna(how="all")}
    parts |= {control: _of_edit(rows, WITHOUT_REFERENCE, control) for control in CONTROLS}
    lines = [
        [name, str(len(part)), *(_summarise(part[measure], name == DIFFERENCE) for measure in EVOLVING_MEASURES)]
        for name, part in parts.items()
    ]
    return markdown(["edit", "scenes", *(MEASURES[name] for name in EVOLVING_MEASURES)], lines)


def drift_table(rows: pd.DataFrame, labels: Sequence[str]) -> str:
    """Write what correcting the edited first frame brings where its colours drifted."""
    lines = [
        [label, str(len(chosen)), *(_summarise(chosen[name]) for name in DRIFT_MEASURES)]
        for label, chosen in _by_method(rows.drop_duplicates(["clip", "method"]), labels)
    ]
    return markdown(["method, correction", "scenes", *DRIFT_MEASURES.values()], lines)


def coverage_line(rows: pd.DataFrame) -> str:
    """Say how much of the truly edited region the workflow's own masks cover."""
    per_edit = rows.groupby(["clip", "edit"])["mask_coverage"].first()
    least = ", ".join(map(str, per_edit.index[int(per_edit.argmin())]))
    return f"Edit masks cover {per_edit.mean():.1%} of the truly edited pixels; least {per_edit.min():.1%}, in {least}."


def markdown(heading: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Write a table that is Markdown and aligned to be read as it is."""
    widths = [max(len(line[column]) for line in [heading, *lines]) for column in range(len(heading))]
    rule = ["-" * width for width in widths]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in [heading, rule, *lines]]
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)


def _by_method(rows: pd.DataFrame, methods: Sequence[str]) -> list[tuple[str, pd.DataFrame]]:
    return [(method, rows[rows["method"] == method]) for method in [*methods, *CONTROLS]]


def _of_edit(rows: pd.DataFrame, edit: str, method: str) -> pd.DataFrame:
    """Return the measures of one edit by one method, indexed by clip."""
    chosen = rows[(rows["edit"] == edit) & (rows["method"] == method)]
    return chosen.set_index("clip")[list(EVOLVING_MEASURES)]


def _summarise(values: "pd.Series[float]", signed: bool = False) -> str:
    """Write mean and standard deviation over scenes; the median of centroid errors, which lost scenes would swamp."""
    known = values.dropna()
    if known.empty:
        return "-"
    sign = "+" if signed else ""
    if values.name == "centroid_error":
        return f"{known.median():{sign}.1f}"
    if values.name == "lost_share":
        return f"{known.mean():{sign}.0%}"
    return f"{known.mean():{sign}.1f} ± {known.std(ddof=0):.1f}"
