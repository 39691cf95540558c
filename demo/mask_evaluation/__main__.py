"""Measure the automatic edit masks on scenes whose truth is known: `python -m demo.mask_evaluation [--scenes 20]`."""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from demo.mask_evaluation.cases import CASES, MaskScene, Region, Video, case_scenes, make_scene
from demo.mask_evaluation.inputs import edited_frames, read_source
from demo.mask_evaluation.measures import measure_mask
from demo.mask_evaluation.strips import draw_strip
from demo.mask_evaluation.table import case_table, describe_cases_apart
from lib.config.families import family_of
from lib.config.settings import Config, load_config
from lib.core.errors import InputError, Problem
from lib.core.project import ROOT
from lib.inputs.checkpoints import resolve_path
from lib.masks.detector import detect_objects, load_detector
from lib.masks.differences import scaled
from lib.masks.edit_mask import MaskSettings, make_edit_mask
from lib.masks.object_links import of_classes
from lib.masks.ultralytics_setup import configure_ultralytics
from lib.stages import segment_masks
from lib.video.arrays import Picture

NO_DETECTOR = "none"


def main() -> int:
    """Measure the masks of all scenes, write scenes.csv, table.md and the worst scenes' strips; print the table."""
    arguments = read_arguments()
    try:
        config = load_config({}, ROOT)
        with tempfile.TemporaryDirectory() as run_folder:
            configure_ultralytics(run_folder)
            detector = None
            if arguments.detector != NO_DETECTOR:
                detector = load_detector(resolve_path(arguments.detector))
            settings = mask_settings(config, arguments.rung)
            rows = pd.DataFrame(measure_scenes(chosen_scenes(arguments), config, settings, detector, arguments.disturb))
            write_strips(rows, config, settings, detector, arguments)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    told = f"Detector: {arguments.detector}; rung: {arguments.rung or 'any'}; disturbed: {arguments.disturb}."
    text = "\n\n".join(["# Edit masks against the truth", told, case_table(rows), *describe_cases_apart(rows)]) + "\n"
    rows.to_csv(arguments.output / "scenes.csv", index=False, float_format="%.4f")
    (arguments.output / "table.md").write_text(text, encoding="utf-8")
    print(f"\n{text}\nWritten to {arguments.output}: table.md, scenes.csv, strips/")
    return 0


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m demo.mask_evaluation", description="Measure the edit masks.")
    parser.add_argument("--output", type=Path, default=Path("evaluation/masks"), help="folder for all that is made")
    parser.add_argument("--scenes", type=int, default=20, help="of each case")
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES), help="to measure")
    parser.add_argument("--names", nargs="+", metavar="CASE-NUMBER", help="measure these scenes instead")
    parser.add_argument("--detector", default="demo/models/yolo11-tiny", help=f"its folder, or {NO_DETECTOR}")
    parser.add_argument("--rung", help="the only method to make masks by, such as optical_flow")
    parser.add_argument("--disturb", action="store_true", help="shift, recompress or tint the edited frames slightly")
    parser.add_argument("--worst", type=int, default=12, help="scenes to draw a strip of")
    return parser.parse_args()


def mask_settings(config: Config, rung: str | None) -> MaskSettings:
    """Take the config's mask settings; with a rung, that method alone."""
    settings = segment_masks.mask_settings(config.mask, family_of(config.model.family).frame_stride)
    return settings if rung is None else replace(settings, methods=(rung,))


def chosen_scenes(arguments: argparse.Namespace) -> Iterator[MaskScene]:
    """Make the scenes that are asked for, one after the other: all at once would fill the memory.

    Raises:
        InputError: a name that is no scene's.
    """
    names = arguments.names
    if names is None:
        names = (f"{case}-{number}" for case in arguments.cases for number in case_scenes(case, arguments.scenes))
    return (named_scene(name) for name in names)


def named_scene(name: str) -> MaskScene:
    """Make a scene by its name, such as crossing-3800004.

    Raises:
        InputError: it is no scene's name.
    """
    case, _, number = name.rpartition("-")
    scene = make_scene(case, int(number)) if case in CASES and number.isdecimal() else None
    if scene is None:
        raise InputError([Problem("--names", f"'{name}'", "a name from scenes.csv")])
    return scene


def measure_scenes(
    scenes: Iterable[MaskScene], config: Config, settings: MaskSettings, detector: Any, disturb: bool
) -> Iterator[dict[str, Any]]:
    """Measure the masks of scenes; yields a row for each."""
    margins = {"margin": config.mask.margin, "frame_stride": settings.frame_stride}
    for scene in scenes:
        _, height, width, _ = scene.source.shape
        source, (disturbance, edited) = read_source(scene), edited_frames(scene, disturb)
        started = time.perf_counter()
        mask, facts = find_mask(source, edited, config, settings, detector)
        seconds = time.perf_counter() - started
        min_margin = scaled(config.mask.min_margin, height, width)
        measures = measure_mask(mask, scene.parts, scene.cut, min_margin=min_margin, **margins)
        print(f"{scene.name}: lowest recall {measures['lowest_recall']:.3f}, {facts['method']}", flush=True)
        yield {
            "name": scene.name,
            "case": scene.case,
            "edit": scene.edit,
            "disturbance": disturbance,
            **measures,
            "says_whole_frame": facts["method"] == "whole_frame",
            "method": facts["method"],
            "confidence": facts["confidence"],
            "warnings": " ".join(facts["warnings"]),
            "seconds": seconds,
        }


def find_mask(
    source: Video, edited: dict[int, Picture], config: Config, settings: MaskSettings, detector: Any
) -> tuple[Region, dict[str, Any]]:
    """Detect the objects and make the mask, as the workflow does."""
    references = {frame: picture for frame, picture in edited.items() if frame != 0}
    detections = []
    if detector is not None:
        found = detect_objects(detector, source, config.mask.confidence, torch.device("cpu"))
        detections = of_classes(found, config.mask.classes, list(detector.names.values()))
    return make_edit_mask(source, edited[0], references, detections, settings)


def write_strips(
    rows: pd.DataFrame, config: Config, settings: MaskSettings, detector: Any, arguments: argparse.Namespace
) -> None:
    """Draw the scenes with the lowest recall; their masks are made again rather than all kept."""
    folder = arguments.output / "strips"
    for old in folder.glob("*.png"):
        old.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    for rank, (_, row) in enumerate(rows.sort_values("lowest_recall").head(arguments.worst).iterrows(), start=1):
        scene = named_scene(row["name"])
        source, (_, edited) = read_source(scene), edited_frames(scene, arguments.disturb)
        mask, _ = find_mask(source, edited, config, settings, detector)
        title = f"{scene.name} ({scene.edit}): {row['method']}, recall {row['lowest_recall']:.3f} in frame "
        title += f"{row['lowest_frame']}, area ratio {row['area_ratio']:.2f}, confidence {row['confidence']}"
        draw_strip(title, source, edited, mask, scene.region, folder / f"{rank:02d}-{scene.name}.png")


if __name__ == "__main__":
    torch.set_num_threads(1)  # tracking a small picture gains nothing from more, and sums repeat
    sys.exit(main())
