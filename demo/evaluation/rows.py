"""Measure every output of a batch, beside two control rows; show some of them side by side."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo.evaluation.batch import Batch
from demo.evaluation.measures import measure_video
from demo.evaluation.scenes import HeldOutScene, Truth, render_truth, with_read_source
from lib.models.base import VideoModel
from lib.video.arrays import to_decoded_video, to_model_video
from lib.video.reading import read_mask, read_video

Video = NDArray[np.uint8]
Row = dict[str, Any]
"""Set, clip, number, kind, edit and method of an output, and its measures by name."""

VAE_CEILING, SOURCE_COPY = "VAE ceiling", "source copy"
"""The truth through the VAE, which no method here can better; and the source as if it were the output."""

CONTROLS = (VAE_CEILING, SOURCE_COPY)


def measure_batch(
    batch: Batch, model: VideoModel, failed: Collection[tuple[str, str, str]]
) -> tuple[list[Row], list[tuple[str, dict[str, Video]]]]:
    """Measure every edited video of a batch that did not fail, and the controls of its scene and edit.

    Returns:
        One row for each video, and for each scene its name with the videos by name, to look at.
    """
    rows: list[Row] = []
    pictures = []
    for scene in batch.scenes:
        folder = batch.results / scene.name
        if not (folder / "source_video.mkv").exists():
            continue
        source = read_video(folder / "source_video.mkv")
        shown = {"source": source}
        for edit in batch.edits:
            truth = with_read_source(render_truth(scene.edits[edit]), source)
            controls = {VAE_CEILING: _through_vae(truth.edited, model), SOURCE_COPY: source}
            shown["truth" if scene.edits[edit] is scene.edit else f"truth, {edit}"] = truth.edited
            done = [method for method in batch.methods if (scene.name, edit, method) not in failed]
            outputs = {method: read_video(folder / edit / method / "edited.mkv") for method in done}
            if done:
                rows += _measure_edit(scene, edit, {**outputs, **controls}, truth, folder / edit / "edit_mask.mkv")
            shown |= {_label(batch, edit, method): video for method, video in outputs.items()}
        pictures.append((scene.name, shown))
    return rows, pictures


def _measure_edit(
    scene: HeldOutScene, edit: str, outputs: dict[str, Video], truth: Truth, mask_path: Path
) -> list[Row]:
    mask = read_mask(mask_path)
    facts = {"clip": scene.name, "number": scene.number, "kind": scene.edits[edit].kind, "edit": edit}
    return [{**facts, "method": name, **measure_video(video, truth, mask)} for name, video in outputs.items()]


def _through_vae(video: Video, model: VideoModel) -> Video:
    return to_decoded_video(model.decode_latents(model.encode_video(to_model_video(video))))


def _label(batch: Batch, edit: str, method: str) -> str:
    """Name an output by what tells it from the others of its scene."""
    named = [edit] * (len(batch.edits) > 1) + [method] * (len(batch.methods) > 1)
    return ", ".join(named or [method])
