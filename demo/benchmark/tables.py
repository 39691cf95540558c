"""The benchmark's figures as Markdown tables."""

import statistics
from collections.abc import Sequence
from typing import Any

from lib.config.sections import WeightStore
from lib.core.units import GIB
from lib.execution.memory_modes import RESERVE, Needs, choose_execution, estimate_gpu_bytes

CARDS = (12, 16, 24, 48, 80)  # GB
DRIVER = 0.5  # GiB of a card that no process gets

Row = dict[str, Any]
"""What was measured of one way to run a model; see `demo.benchmark.__main__.measure`."""


HEAD = """\
| mode | weights | clip | keeps | s/step | of floor | peak GiB (estimate) | s/forward | of floor | peak (est.) | first |
|---|---|---|---|---|---|---|---|---|---|---|"""
"""Above the lines of `show`."""

CARDS_HEAD = """\
| card, GB | training | expected GiB | generating | expected GiB |
|---|---|---|---|---|"""
"""Above the lines of `show_cards`."""


def show(rows: Sequence[Row], floor: tuple[float, float]) -> str:
    """Write rows as lines of a Markdown table; seconds, GiB, and the floor's share of the time."""
    lines = []
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
    """Write as a Markdown table how far the losses of each row are from those of the first, step by step.

    A row that ran out of time has fewer; the steps that both have are compared.
    """
    lines = [
        "| mode | weights | steps | first loss | last loss | beside the first row: mean difference | largest |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        losses = row["losses"]
        differences = [loss - other for loss, other in zip(losses, rows[0]["losses"], strict=False)]
        compared = f"{statistics.mean(differences):+.2g} | {max(differences, key=abs):+.2g}"
        ends = f"{losses[0]:.5f} | {losses[-1]:.5f}"
        lines.append(f"| {row['mode']} | {row['weights']} | {len(losses)} | {ends} | {compared} |")
    return "\n".join(lines)


def _gib(row: Row, name: str) -> str:
    """Write the most memory in use, and what the mode was chosen by: a CPU measures none."""
    peak, expected = row.get(f"{name}_peak_gib"), row.get(f"{name}_expected_gib")
    measured = "-" if peak is None else f"{peak:.1f}"
    return measured if expected is None else f"{measured} ({expected:.1f})"


def show_cards(needs: Needs, weights: WeightStore) -> str:
    """Write as lines of a Markdown table which mode each card gets by `auto`, and what memory that is to take.

    Args:
        needs: of the transformer and the clip.
        weights: see `lib.execution.block_runs.Execution`.
    """
    lines = []
    for card in CARDS:
        free, cells = int((card - DRIVER) * GIB), [str(card)]
        for training in (True, False):
            mode, execution = choose_execution("auto", weights, needs, training, free)
            expected = estimate_gpu_bytes(execution, needs, training)
            named = f"{mode}, `{execution.saved}`" if training and mode == "fast" else mode
            cells += [named if expected <= free * (1 - RESERVE) else f"{mode}, if at all", f"{expected / GIB:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
