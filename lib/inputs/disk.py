"""What a run needs of the disk, and whether there is room; torch-free, since it is asked before any work."""

import os
import shutil
from collections.abc import Collection
from pathlib import Path

from lib.config.families import LoraLayers, LoraTargets
from lib.core.errors import Problem
from lib.core.units import GIB

FLOAT_BYTES = 4
CLIP_VIDEOS, EDIT_VIDEOS, METHOD_VIDEOS = 1.3, 0.5, 1.5
"""Videos kept per clip, edit and method, in units of one uncompressed RGB video (FFV1 keeps about two thirds)."""


def estimate_results_bytes(
    num_clips: int, num_edits: int, num_methods: int, video_size: tuple[int, int, int], lora_bytes: int
) -> int:
    """Estimate the size of a run's results, on the safe side.

    Args:
        num_clips, num_edits, num_methods: of the batch; each edit is made with each method.
        video_size: (frames, height, width) of the edited videos.
        lora_bytes: size of one LoRA file.
    """
    frames, height, width = video_size
    video = frames * height * width * 3
    videos = video * (num_clips * CLIP_VIDEOS + num_edits * (EDIT_VIDEOS + num_methods * METHOD_VIDEOS))
    return int(videos + lora_bytes * num_methods * (num_clips + num_edits))


def estimate_lora_bytes(targets: LoraTargets | None, rank: int, layers: Collection[LoraLayers]) -> int:
    """Estimate one LoRA's size from the layers that it may adapt and the kinds that it does; 0 if unknown."""
    if targets is None:
        return 0
    # A matrix on either side of each layer: (rank, in) and (out, rank).
    features = sum(inside + outside for kind in layers for inside, outside in targets.layers[kind].values())
    return features * rank * FLOAT_BYTES


def check_disk(folder: Path, needed_bytes: int, min_free_disk: float) -> list[Problem]:
    """Return a problem, in a list, if the results do not fit, or may not be written.

    Args:
        folder: where results go; need not exist yet.
        needed_bytes: of the run; see `estimate_results_bytes`.
        min_free_disk: GiB that must stay free.
    """
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    if not os.access(existing, os.W_OK):
        return [Problem(f"results folder {folder}", f"no permission to write in {existing}", "a folder that can be")]
    free = shutil.disk_usage(existing).free
    wanted = needed_bytes + min_free_disk * GIB
    if free >= wanted:
        return []
    found = f"{free / GIB:.1f} GiB of free disk"
    shares = f"about {needed_bytes / GIB:.1f} for results, and min_free_disk, {min_free_disk:g}"
    return [Problem(f"results folder {folder}", found, f"{wanted / GIB:.1f} GiB: {shares}")]
