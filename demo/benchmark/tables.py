"""The benchmark's figures as Markdown tables."""

import statistics
from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]
"""What was measured of one way to run the model; see `demo.benchmark.__main__.measure`."""


def show(rows: Sequence[Row], floor: tuple[float, float]) -> str:
    """Write rows as a Markdown table; seconds, GiB, and the floor's share of the time."""
    lines = [
        "| mode | weights | clip | keeps | s/step | of floor | peak GiB | s/forward | of floor | peak GiB | first |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row["mode"], row["weights"], row["clip"], row["saved"]]
        for name, best in (("step", floor[1]), ("forward", floor[0])):
            seconds = row.get(f"{name}_s")
            cells += ["-"] * 3 if seconds is None else [f"{seconds:.3g}", f"{best / seconds:.0%}", _gib(row, name)]
        first = row.get("first_step_s", row.get("first_forward_s"))
        cells.append("-" if first is None else f"{first:.1f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def compare_losses(rows: Sequence[Row]) -> str:
    """Write as a Markdown table how far the losses of each row are from those of the first, step by step."""
    lines = [
        "| mode | weights | steps | first loss | last loss | beside the first row: mean difference | largest |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        losses = row["losses"]
        differences = [loss - other for loss, other in zip(losses, rows[0]["losses"], strict=True)]
        compared = f"{statistics.mean(differences):+.2g} | {max(differences, key=abs):+.2g}"
        ends = f"{losses[0]:.5f} | {losses[-1]:.5f}"
        lines.append(f"| {row['mode']} | {row['weights']} | {len(losses)} | {ends} | {compared} |")
    return "\n".join(lines)


def _gib(row: Row, name: str) -> str:
    peak = row.get(f"{name}_peak_gib")
    return "-" if peak is None else f"{peak:.1f}"
