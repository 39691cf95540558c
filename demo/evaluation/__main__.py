"""Measure the workflow on scenes whose truth is known: `python -m demo.evaluation [--scenes 20]`.

Run it again after a kill, and it goes on; with more scenes, only the new ones are edited.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from demo.evaluation.batch import MOVING, Batch, check_same_models, find_failures, read_settings, run_batch
from demo.evaluation.claims import claim_table
from demo.evaluation.rows import measure_batch
from demo.evaluation.scenes import (
    EVOLVING_EDITS,
    MAIN_EDITS,
    PAIR_EDITS,
    evolving_scenes,
    main_scenes,
    moving_scenes,
    pair_scenes,
)
from demo.evaluation.sheet import draw_sheet
from demo.evaluation.summary import describe_run, job_table, write_tables
from lib.config.settings import Config
from lib.core.errors import InputError
from lib.stages.job import Job
from lib.stages.model import load_vae

REFERENCE_METHOD = "mask_lora"  # of the evolving scenes, where it is among the methods
PAIR_METHODS = ("mask_lora", "own_lora")
CORRECTIONS = ("none", "colour", "composite")  # mask.correct_edited


def main() -> int:
    """Edit, measure, write scenes.csv, table.md and sheet.png, and print the table; 1 if an edit failed."""
    started = time.perf_counter()
    arguments = read_arguments()
    folder: Path = arguments.output
    try:
        settings, config = read_settings(arguments.configfile, arguments.methods)
        models = check_same_models(folder, config)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    numbers = {name: getattr(arguments, name) for name in ("scenes", "moving", "evolving", "pairs", "drifted")}
    batches = plan_batches(folder, arguments.methods, **numbers)
    for batch in batches:
        run_batch(batch, settings, arguments.cores)
    rows, failures = measure(batches, config, arguments.sheet_scenes, folder / "sheet.png")
    sections = describe_run(arguments.configfile, config, models, time.perf_counter() - started)
    sections += [claim_table(rows), *write_tables(rows, batches), job_table(batches)]
    if failures:
        sections += [f"## Failed: {len(failures)}", "\n".join(f"- {line}" for line in failures)]
    text = "\n\n".join(filter(None, sections)) + "\n"
    rows.to_csv(folder / "scenes.csv", index=False, float_format="%.4f")
    (folder / "table.md").write_text(text, encoding="utf-8")
    print(f"\n{text}\nWritten to {folder}: table.md, scenes.csv, sheet.png")
    return 1 if failures else 0


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m demo.evaluation", description="Measure the workflow on the truth.")
    parser.add_argument("--output", type=Path, default=Path("evaluation"), help="folder for everything that is made")
    parser.add_argument("--scenes", type=int, default=20, help="held-out scenes of the main set")
    parser.add_argument("--moving", type=int, default=0, help="held-out scenes over which the camera moves")
    parser.add_argument("--evolving", type=int, default=10, help="held-out scenes whose edit changes late in the clip")
    parser.add_argument("--pairs", type=int, default=0, help="held-out scenes with two edits, sharing a LoRA and not")
    parser.add_argument("--drifted", type=int, default=0, help="main scenes again, with first frames of other colours")
    parser.add_argument("--methods", nargs="+", default=["mask_lora", "naive_lora", "base"], help="of config.yaml")
    parser.add_argument("--configfile", type=Path, help="settings that differ from config.yaml")
    parser.add_argument("--cores", default="all", help="CPU cores")
    parser.add_argument("--sheet-scenes", type=int, default=8, help="scenes of each set on the contact sheet")
    return parser.parse_args()


def plan_batches(
    folder: Path,
    methods: Sequence[str],
    scenes: int,
    moving: int = 0,
    evolving: int = 0,
    pairs: int = 0,
    drifted: int = 0,
) -> list[Batch]:
    """Plan the sets of scenes.

    The main one and that of moving cameras are edited by all methods, the evolving one by one method with and without a
    reference, pairs of edits with a LoRA that they share and with one for each, and scenes whose edited first frame
    drifted in its colours with each way to correct that.

    Args:
        folder: for everything that is made.
        methods: of the first two sets.
        scenes, moving, evolving, pairs, drifted: number of scenes in each set.
    """
    method = REFERENCE_METHOD if REFERENCE_METHOD in methods else methods[0]
    main_set = Batch(folder / "main", tuple(main_scenes(scenes)), MAIN_EDITS, tuple(methods))
    moving_set = Batch(folder / MOVING, tuple(moving_scenes(moving)), MAIN_EDITS, tuple(methods))
    evolving_set = Batch(folder / "evolving", tuple(evolving_scenes(evolving)), EVOLVING_EDITS, (method,))
    pairs_set = Batch(folder / "pairs", tuple(pair_scenes(pairs)), PAIR_EDITS, PAIR_METHODS)
    drifted_sets = [
        Batch(folder / f"drifted-{how}", tuple(main_scenes(drifted)), MAIN_EDITS, (method,), how) for how in CORRECTIONS
    ]
    return [batch for batch in (main_set, moving_set, evolving_set, pairs_set, *drifted_sets) if batch.scenes]


def measure(batches: Sequence[Batch], config: Config, num_drawn: int, sheet: Path) -> tuple[pd.DataFrame, list[str]]:
    """Measure all that was made, and draw the contact sheet.

    Returns:
        One row for each video, and a line for each edit that failed.
    """
    model, _ = load_vae(config.model, Job(log=sheet.with_suffix(".log"), num_threads=1))
    rows, failures, pictures = [], [], []
    for batch in batches:
        failed = find_failures(batch)
        measured, shown = measure_batch(batch, model, failed)
        rows += [{"set": batch.name, **row, "method": batch.label(row["method"])} for row in measured]
        failures += [f"{', '.join(place)}: {reason}" for place, reason in failed.items()]
        pictures += shown[:num_drawn]
    draw_sheet(pictures, sheet)
    return pd.DataFrame(rows), failures


if __name__ == "__main__":
    sys.exit(main())
