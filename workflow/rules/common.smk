# Settings, the batch, and the input functions of all rules.
# In: config.yaml or --configfile, the clips. Out: SETTINGS, CLIPS, EDITS, METHODS and functions of the wildcards.
import os
import sys
from pathlib import Path

sys.path.insert(0, str(workflow.basedir))

from lib.checkpoints import (
    CAPTIONER_FILE,
    CLIP_FILE,
    FAMILY_FILES,
    ROOT,
    checkpoint_file,
    check_detector,
    check_model,
)
from lib.clips import RESERVED_CLIP_NAMES, RESERVED_EDIT_NAMES, find_clips
from lib.config import FAMILY_LIMITS, load_config
from lib.disk import check_disk, estimate_bytes, estimate_lora_bytes
from lib.errors import InputError, Problem
from lib.provenance import STAGE_VERSIONS, package_versions


def refuse(problems):
    """Stop before any work, with everything that has to change."""
    listed = "\n".join(f"  - {problem}" for problem in problems)
    raise WorkflowError(f"Nothing was started. What has to change:\n{listed}") from None


def check_settings(settings):
    """Return what is wrong with the models and the detector."""
    download = settings.model.download
    return [
        check_model(
            "model.name",
            settings.model.name,
            FAMILY_FILES[settings.model.family],
            download,
        ),
        check_model("caption.model", settings.caption.model, CAPTIONER_FILE, download),
        check_detector("mask.detector", settings.mask.detector),
        check_model(
            "metrics.clip_model", settings.metrics.clip_model, CLIP_FILE, download
        ),
    ]


def check_space(settings, num_clips, num_edits):
    """Return a problem if the results will not fit on their disk."""
    shape = checkpoint_file(settings.model.name, "transformer/config.json")
    lora_bytes = estimate_lora_bytes(
        shape, settings.training.rank, settings.training.feed_forward
    )
    size = (settings.video.num_frames, settings.video.height, settings.video.width)
    needed = estimate_bytes(
        num_clips, num_edits, len(settings.methods), size, lora_bytes
    )
    return check_disk(Path(settings.results), needed, settings.min_free_disk)


try:
    SETTINGS = load_config(config, ROOT)
except InputError as error:
    refuse(error.problems)

BATCH = find_clips(
    Path(SETTINGS.clips),
    num_frames=SETTINGS.video.num_frames,
    start=SETTINGS.video.start,
    stride=SETTINGS.video.stride,
    cache=Path(SETTINGS.results) / ".input_checks.json",
)
CLIPS = {clip.name: clip for clip in BATCH.clips}
EDITS = {(clip.name, edit.name): edit for clip in BATCH.clips for edit in clip.edits}
METHODS = {name: SETTINGS.method(name) for name in SETTINGS.methods}
EXPECTED = [(clip, edit, method) for clip, edit in EDITS for method in METHODS]

if (
    workflow.is_main_process
):  # a cluster's jobs parse this file too: their inputs are checked already
    blocking = [
        problem
        for problem in [
            *check_settings(SETTINGS),
            check_space(SETTINGS, len(CLIPS), len(EDITS)),
        ]
        if problem
    ]
    if blocking or not CLIPS:
        refuse([*BATCH.problems, *blocking])
    if BATCH.problems:
        listed = "\n".join(f"  - {problem}" for problem in BATCH.problems)
        print(
            f"Left out, while the rest goes on ({len(BATCH.problems)} problems):\n{listed}",
            file=sys.stderr,
        )


pathvars:
    results=SETTINGS.results,
    logs=f"{SETTINGS.results}/logs",
    benchmarks=f"{SETTINGS.results}/benchmarks",


wildcard_constraints:
    clip=r"[^/]+",
    edit=r"[^/]+",
    method=r"[A-Za-z0-9_]+",
    mask=r"edit|first_frame|all_ones|all_zeros",


# The GPUs a job asks for. Profiles of clusters, whose login nodes have none, set their own (set-resources).
NUM_GPUS = int(
    SETTINGS.model.device == "cuda"
    or (SETTINGS.model.device == "auto" and os.path.exists("/dev/nvidia0"))
)


def clip_of(wildcards):
    return CLIPS[wildcards.clip]


def edit_of(wildcards):
    return EDITS[wildcards.clip, wildcards.edit]


def prompt_of(wildcards):
    """The prompt that replaces the caption, or None."""
    return edit_of(wildcards).prompt if "edit" in wildcards.keys() else None


def masks_of_clip(wildcards):
    """The masks of all edits of a clip: its LoRA is trained with their union."""
    return [
        f"{SETTINGS.results}/{wildcards.clip}/{edit.name}/edit_mask.mkv"
        for edit in clip_of(wildcards).edits
    ]


def lora_of(wildcards):
    """The LoRA that a method generates an edit with: none, the clip's, or the edit's own where it has references."""
    mask = METHODS[wildcards.method].train_mask
    if mask is None:
        return []
    clip_folder = f"{SETTINGS.results}/{wildcards.clip}"
    if edit_of(wildcards).references:
        return [f"{clip_folder}/{wildcards.edit}/lora/{mask}/appearance.safetensors"]
    return [f"{clip_folder}/lora/{mask}/decouple.safetensors"]


def encoded_of(wildcards):
    """What a method generates an edit from."""
    mask = METHODS[wildcards.method].generate_mask
    return f"{SETTINGS.results}/{wildcards.clip}/{wildcards.edit}/encoded/{mask}.safetensors"


def lossless(path):
    """Mark a lossless video as temporary unless it is to be kept."""
    return path if SETTINGS.video.keep_lossless else temp(path)


def settings_of(*keys):
    """Pick settings by section.key, so that a rule reruns only when one that it uses changes."""
    values = {}
    for key in keys:
        section, name = key.split(".")
        values[key] = getattr(getattr(SETTINGS, section), name)
    return values
