"""Measure the edit masks on real footage, by what other people's edited videos changed of it.

    python -m demo.mask_evaluation.footage CLIPS RESULTS --detector YOLO

CLIPS is a clips folder; RESULTS holds an edited video of each edit, CLIP--EDIT--METHOD.mp4. Where that differs from the
source, beyond its own noise, is roughly what the edit needs; a model's video changes a little everywhere, so that the
figures say which masks are far off, not the last percent.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch

from demo.evaluation.table import markdown
from demo.mask_evaluation.__main__ import find_mask, mask_settings
from demo.mask_evaluation.cases import Region, Video
from demo.mask_evaluation.measures import recall_by_frame, true_loose_mask
from demo.mask_evaluation.strips import draw_strip
from lib.config.settings import Config, load_config
from lib.core.errors import InputError
from lib.core.project import ROOT
from lib.inputs.checkpoints import resolve_path
from lib.inputs.edits import index_of
from lib.masks.detector import load_detector
from lib.masks.differences import edit_difference
from lib.masks.ultralytics_setup import configure_ultralytics
from lib.video.alignment import align_edited_frame
from lib.video.arrays import Picture
from lib.video.extraction import extract_frames

LEAST_DIFFERENCE = 12.0  # delta E of what counts as changed; a model's own repainting has half of it
LEAST_SHARE = 0.002  # of the frame; smaller spots are not what an edit is about
SMALLEST_MARGIN = 0.0  # of the tight box that masks are held against
WIDTH, HEIGHT, NUM_FRAMES = 832, 480, 49
MARGINS = ("margin", "min_margin", "object_margin", "object_min_margin")  # of section mask
EVERY, SHRUNK = 8, (208, 120)  # frames of which one is drawn, and the size of a picture in a strip
HEADING = (
    "edit",
    "held against",
    "method",
    "mask",
    "tight box",
    "mask / box",
    "recall, mean",
    "least",
    "confidence",
    "",
)


def main() -> int:
    """Measure the mask of every edit with a result; write footage.csv, footage.md and a strip of each."""
    parser = argparse.ArgumentParser(prog="python -m demo.mask_evaluation.footage", description="Masks on footage.")
    parser.add_argument("clips", type=Path, help="a clips folder")
    parser.add_argument("results", type=Path, help="edited videos, CLIP--EDIT--METHOD.mp4")
    parser.add_argument("--detector", required=True, help="its folder, or ultralytics weights")
    parser.add_argument("--method", default="*", help="of the edited videos; the first by name that there is")
    parser.add_argument("--output", type=Path, default=Path("evaluation/masks"), help="folder for all that is made")
    parser.add_argument("--margin", type=float, help="mask.margin, in place of config.yaml's")
    parser.add_argument("--min-margin", type=int, help="mask.min_margin, likewise")
    parser.add_argument("--object-margin", type=float, default=0.05, help="mask.object_margin")
    parser.add_argument("--object-min-margin", type=int, default=8, help="mask.object_min_margin")
    parser.add_argument("--only", nargs="+", default=[], metavar="EDIT", help="names of edits")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    sizes = {"num_frames": NUM_FRAMES, "width": WIDTH, "height": HEIGHT}
    mask = {name: getattr(given, name) for name in MARGINS if getattr(given, name) is not None}
    config = load_config({"video": sizes, "mask": mask}, ROOT)
    try:
        with tempfile.TemporaryDirectory() as run_folder:
            configure_ultralytics(run_folder)
            detector = load_detector(resolve_path(given.detector))
            rows = pd.DataFrame(measure_edits(given, config, detector))
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    text = table(rows)
    rows.to_csv(given.output / "footage.csv", index=False, float_format="%.4f")
    (given.output / "footage.md").write_text(text + "\n", encoding="utf-8")
    print(f"\n{text}\n\nWritten to {given.output}: footage.md, footage.csv, footage/")
    return 0


def measure_edits(given: argparse.Namespace, config: Config, detector: Any) -> Iterator[dict[str, Any]]:
    """Measure the masks of all edits that have a result; yields a row for each."""
    settings = mask_settings(config, None)
    for folder in sorted(given.clips.glob("*/edits/*")):
        clip, edit = folder.parents[1].name, folder.name
        results = sorted(given.results.glob(f"{clip}--{edit}--{given.method}.mp4"))
        if not results or (given.only and edit not in given.only):
            continue
        size = (config.video.num_frames, config.video.width, config.video.height)
        source, _, facts = extract_frames(folder.parents[1] / "source.mp4", *size, start=0, stride=1)
        result, _, _ = extract_frames(results[0], *size, start=0, stride=1)
        pictures = {0: folder / "first_frame.png"}
        pictures |= {int(index_of(path) or 0): path for path in sorted((folder / "references").glob("*.png"))}
        edited = {index: align_edited_frame(path, facts["crop"]) for index, path in pictures.items()}
        changed = changed_region(source, result)
        mask, found = find_mask(source, edited, config, settings, detector)
        tight = true_loose_mask([changed], SMALLEST_MARGIN, 0, settings.frame_stride)
        recalls = recall_by_frame(mask, changed)
        name = f"{clip}/{edit}"
        title = f"{name}: {found['method']}, mask / box {mask.sum() / tight.sum():.2f}"
        (given.output / "footage").mkdir(exist_ok=True)
        drawn = slice(None, None, EVERY)
        small = np.stack([_shrink(frame) for frame in source[drawn]])
        regions = [np.stack([_shrink(plane.astype(np.uint8)) > 0 for plane in each[drawn]]) for each in (mask, changed)]
        path = given.output / "footage" / f"{clip}--{edit}.png"
        draw_strip(title, small, {0: _shrink(edited[0])}, *regions, path)
        row = {
            "edit": name,
            "against": results[0].stem.rpartition("--")[2],
            "method": found["method"],
            "mask": float(mask.mean()),
            "tight box": float(tight.mean()),
            "area ratio": float(mask.sum() / tight.sum()),
            "mean recall": float(np.nanmean(recalls)),
            "lowest recall": float(np.nanmin(recalls)),
            "confidence": found["confidence"],
            "warnings": " ".join(found["warnings"]),
        }
        print(f"{title}, recall {row['mean recall']:.3f}, least {row['lowest recall']:.3f}", flush=True)
        yield row


def changed_region(source: Video, result: Video) -> Region:
    """Find what an edited video changed: in each frame beyond its noise, and in at least two of three in a row.

    Args:
        source, result: (frames, height, width, 3) uint8 RGB of one size.
    """
    pairs = zip(source, result, strict=True)
    changed = np.stack([_large(edit_difference(*pair, threshold=LEAST_DIFFERENCE)) for pair in pairs])
    padded = np.concatenate([changed[:1], changed, changed[-1:]]).astype(np.uint8)
    agreed: Region = padded[:-2] + padded[1:-1] + padded[2:] >= 2
    return agreed


def _shrink(picture: Picture) -> Picture:
    return np.asarray(cv2.resize(picture, SHRUNK, interpolation=cv2.INTER_AREA))


def _large(changed: Region) -> Region:
    _, labels, facts, _ = cv2.connectedComponentsWithStats(changed.astype(np.uint8))
    large = facts[:, cv2.CC_STAT_AREA] >= LEAST_SHARE * changed.size
    large[0] = False  # the background
    return np.asarray(large[labels], np.bool_)


def table(rows: pd.DataFrame) -> str:
    """Write a line for each edit, and one for all."""
    lines = [_line(row) for _, row in rows.iterrows()]
    means = rows[["mask", "tight box", "area ratio", "mean recall", "lowest recall"]].mean()
    lines.append(
        _line(pd.Series({"edit": "mean", "against": "", "method": "", "confidence": "", "warnings": ""} | dict(means)))
    )
    return markdown(HEADING, lines)


def _line(row: pd.Series) -> list[str]:
    figures = [f"{row[name]:.2f}" for name in ("mask", "tight box", "area ratio")]
    recalls = [f"{row[name]:.3f}" for name in ("mean recall", "lowest recall")]
    said = [str(row["confidence"]), str(row["warnings"])]
    return [str(row["edit"]), str(row["against"]), str(row["method"]), *figures, *recalls, *said]


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())
