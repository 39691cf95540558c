"""Tables and a picture from what the study measured: `python -m demo.shared_start.tables FOLDER --picture FILE`."""

import argparse
import json
from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd

from demo.evaluation.claims import ALL_MEASURES, claim_table
from demo.evaluation.scenes import WITH_REFERENCE, WITHOUT_REFERENCE
from demo.evaluation.table import markdown

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402 - after its backend is chosen

MEASURES = {
    "background_psnr": "background dB",
    "kept_psnr": "outside mask dB",
    "edit_psnr": "edit dB",
    "late_edit_psnr": "late edit dB",
    "centroid_error": "centroid px (median)",
    "lost_share": "frames lost",
}
FRESH = "fresh"
CURVES = {"fresh, copies, 2e-3": (FRESH, 2e-3, 0.67, ""), "shared, 5e-4": ("200-8000-own", 5e-4, 0.0, "")}


def read_rows(folder: Path) -> pd.DataFrame:
    """Read the rows of all workers, one for each edited video, with the arm's fields as columns."""
    lines = [line for path in sorted(folder.glob("rows*.jsonl")) for line in path.read_text("utf-8").splitlines()]
    rows = {}
    for line in lines:
        row = json.loads(line)
        rows[row["key"]] = {**row, **{f"arm_{name}": value for name, value in row["arm"].items()}}
    table = pd.DataFrame(rows.values())
    starts = table["arm_start"].str.replace(r"-s\d+$", "", regex=True)  # seeds of one arm belong together
    sets = table["arm_set"].where(table["arm_set"] != "any", table["moving"].map({True: "moving", False: "main"}))
    return table.assign(start=starts.where(starts != "", FRESH), set=sets)


def summarize(rows: pd.DataFrame) -> list[str]:
    """Return number of edits and, of each measure, the mean over scenes with its standard error."""
    cells = [str(len(rows))]
    for name in MEASURES:
        by_scene = rows.groupby("clip")[name].mean().dropna()
        error = by_scene.std(ddof=1) / sqrt(len(by_scene)) if len(by_scene) > 1 else 0.0
        if name == "centroid_error":
            cells.append(f"{rows[name].median():.1f}")
        elif name == "lost_share":
            cells.append(f"{by_scene.mean():.1%} ± {error:.1%}")
        else:
            cells.append(f"{by_scene.mean():.2f} ± {error:.2f}")
    return cells


def arm_table(rows: pd.DataFrame, of_set: str) -> str:
    """Write a line for each arm of a set of scenes."""
    chosen = rows[rows["set"] == of_set]
    keys = ["start", "arm_method", "arm_steps", "arm_rate", "arm_copies", "arm_layers", "arm_anchor"]
    keys += ["arm_late_steps", "arm_late_rate"]
    lines = []
    for arm, group in chosen.groupby(keys, sort=False):
        named = dict(zip(keys, arm, strict=True))
        own = f"{named['arm_steps']} at {named['arm_rate']:g}"
        own += ", copies" * bool(named["arm_copies"]) + f", {named['arm_layers']} alone" * bool(named["arm_layers"])
        own += f", anchor {named['arm_anchor']:g}" * bool(named["arm_anchor"])
        own += f", {named['arm_method']}" * (named["arm_method"] != "mask_lora")
        late = f"{named['arm_late_steps']} at {named['arm_late_rate']:g}" if named["arm_late_steps"] else "-"
        lines.append([str(named["start"]), own, late, *summarize(group)])
    return markdown(["start", "own steps", "stage 2", "edits", *MEASURES.values()], lines)


def as_evaluation(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in the form of `demo.evaluation`, means over seeds, to hold its claims against them."""
    has_reference = rows["arm_late_steps"] > 0
    edits = has_reference.map({True: WITH_REFERENCE, False: WITHOUT_REFERENCE}).where(rows["arm_set"] == "late", "edit")
    named = rows.assign(set=rows["set"].replace("late", "evolving"), method=rows["arm_method"], edit=edits)
    measures = [name for name in named if name in ALL_MEASURES]
    return named.groupby(["set", "clip", "kind", "edit", "method"], sort=False)[measures].mean().reset_index()


def draw_curves(rows: pd.DataFrame, path: Path) -> None:
    """Draw edit, background and lost frames against the number of a clip's own steps."""
    shown = ("edit_psnr", "background_psnr", "lost_share")
    figure, axes = plt.subplots(1, len(shown), figsize=(12, 3.4), layout="constrained")
    for label, (start, rate, copies, layers) in CURVES.items():
        chosen = rows[
            rows["start"].str.startswith(start) & (rows["set"] == "main") & (rows["arm_method"] == "mask_lora")
        ]
        chosen = chosen[(chosen["arm_rate"] == rate) & (chosen["arm_copies"] == copies)]
        chosen = chosen[(chosen["arm_layers"] == layers) & (chosen["arm_anchor"] == 0) & (chosen["seed"] >= 0)]
        for axis, name in zip(axes, shown, strict=True):
            scenes = chosen.groupby(["arm_steps", "clip"])[name].mean().groupby("arm_steps")
            axis.errorbar(scenes.mean().index, scenes.mean(), yerr=scenes.sem(), label=label, marker="o", capsize=3)
            axis.set(xlabel="own steps", title=MEASURES[name])
    axes[0].legend(frameon=False)
    figure.savefig(path, dpi=110)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables and draw the picture."""
    parser = argparse.ArgumentParser(description="Tables and a picture of the study of the shared start.")
    parser.add_argument("folder", type=Path, help="of demo.shared_start's --output")
    parser.add_argument("--picture", type=Path, help="PNG to draw the curves to")
    parser.add_argument("--claims", action="store_true", help="hold the claims of `make ablation` against the rows")
    given: Any = parser.parse_args(arguments)
    rows = read_rows(given.folder)
    for of_set in dict.fromkeys(rows["set"]):
        print(f"## {of_set}\n\n{arm_table(rows, of_set)}\n")
    if given.claims:
        print(claim_table(as_evaluation(rows)))
    if given.picture:
        draw_curves(rows, given.picture)


if __name__ == "__main__":
    main()
