"""What a run needs of the disk, and whether there is room; torch-free, since it is asked before any work."""

import os
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from lib.config.families import LoraLayers, LoraTargets, family_of
from lib.config.settings import Config
from lib.core.errors import Problem
from lib.core.files import files_below
from lib.core.units import GIB
from lib.inputs.checkpoints import checkpoint_file, read_lora_targets
from lib.inputs.clips import Clip
from lib.inputs.layout import Layout, masks_of_methods
from lib.inputs.shared_lora import choose_clips

FLOAT_BYTES = 4
STATE_LORAS = 3
"""Size of a training's state (`lib.training.state`), in LoRAs: the LoRA itself and both of AdamW's moments."""
SAMPLE_VIDEOS, PROMPT_BYTES = 0.2, 10 * 2**20  # of an encoded sample: its latents, as above; its text and picture
CLIP_VIDEOS, EDIT_VIDEOS, METHOD_VIDEOS = 2.2, 0.5, 1.5
"""Videos kept per clip, edit and method, in units of one uncompressed RGB video (FFV1 keeps about two thirds)."""


def bytes_to_come(settings: Config, layout: Layout, now: Sequence[Clip], later: Sequence[Clip]) -> int:
    """Estimate the bytes that the rest of a run adds to the disk, on the safe side, clip by clip.

    Args:
        now: clips of this round; what is there of them is not counted again.
        later: clips of later rounds, as if nothing was there of them.
    """
    lora = _lora_bytes(settings)
    whole = {clip.id: estimate_clip_bytes(clip, settings, lora) for clip in (*now, *later)}
    shared = _shared_samples_bytes(settings, layout, list(whole))
    whole = {clip: needed + shared.get(clip, 0) for clip, needed in whole.items()}
    there = {clip.id: sum(size for _, size, _ in files_below(layout.folder(clip.id))) for clip in now}
    return sum(max(0, needed - there.get(clip, 0)) for clip, needed in whole.items())


def _shared_samples_bytes(settings: Config, layout: Layout, clips: Sequence[str]) -> dict[str, int]:
    """Estimate the samples for the shared LoRA of each clip that is to train it."""
    masks = [mask for mask in masks_of_methods(settings, layout) if not Path(layout.shared_lora(mask) or "").exists()]
    if settings.training.shared != "batch" or not masks:
        return {}
    video = settings.video.num_frames * settings.video.height * settings.video.width * 3
    each = int(SAMPLE_VIDEOS * video * settings.shared.scale**2) + PROMPT_BYTES
    chosen = choose_clips(clips, settings.shared.clips, settings.training.seed)
    return dict.fromkeys(chosen, each * settings.shared.samples_per_clip * len(masks))


def bytes_for_a_while(settings: Config, layout: Layout, clips: Sequence[Clip], at_once: int) -> int:
    """Estimate the bytes that trainings hold only while they run: the state of each, and a new one being written.

    Args:
        clips: of this round and later ones.
        at_once: the most trainings that run at a time.
    """
    methods = [settings.method(name) for name in settings.methods]
    loras = {layout.lora(clip, edit, method) for clip in clips for edit in clip.edits for method in methods}
    num_trainings = sum(1 for lora in loras if lora is not None and not Path(lora).exists())
    num_states = min(at_once, num_trainings) + 1 if num_trainings else 0
    return num_states * STATE_LORAS * _lora_bytes(settings)


def _lora_bytes(settings: Config) -> int:
    name = settings.model.name
    is_there = checkpoint_file(name, "transformer/config.json") is not None
    targets = read_lora_targets(name, family_of(settings.model.family)) if is_there else None
    return estimate_lora_bytes(targets, settings.training.rank, settings.training.layers)


def estimate_clip_bytes(clip: Clip, settings: Config, lora_bytes: int) -> int:
    """Estimate the size of a clip's results.

    Args:
        clip: each of its edits is made with each method; its own number of frames counts.
        settings: of the run: methods and size of the frames.
        lora_bytes: size of one LoRA file.
    """
    num_edits, num_methods = len(clip.edits), len(settings.methods)
    num_made = num_edits * num_methods + sum(len(edit.outside) for edit in clip.edits)
    video = len(clip.indices) * settings.video.height * settings.video.width * 3
    num_videos = CLIP_VIDEOS + num_edits * EDIT_VIDEOS + num_made * METHOD_VIDEOS
    num_loras = num_methods * (1 + num_edits) * (2 if settings.training.lora_format else 1)
    return int(video * num_videos + lora_bytes * num_loras)


def estimate_lora_bytes(targets: LoraTargets | None, rank: int, layers: Collection[LoraLayers]) -> int:
    """Estimate one LoRA's size from the layers that it may adapt and the kinds that it does; 0 if unknown."""
    if targets is None:
        return 0
    # A matrix on either side of each layer: (rank, in) and (out, rank).
    features = sum(inside + outside for kind in layers for inside, outside in targets.layers[kind].values())
    return features * rank * FLOAT_BYTES * len(targets.experts)


def check_disk(folder: Path, needed_bytes: int, min_free_disk: float) -> list[Problem]:
    """Return a problem, in a list, if the results do not fit, or may not be written.

    Args:
        folder: where results go; need not exist yet.
        needed_bytes: that are still to come; see `bytes_to_come`.
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
