# Settings, the batch, and the input functions of all rules.
# In: config.yaml or --configfile, the clips. Out: SETTINGS, CLIPS, EDITS, METHODS and functions of the wildcards.
import functools
import gc
import sys
import tempfile
from pathlib import Path

import snakemake.sourcecache

# Planning makes millions of objects that stay: looking for garbage among them takes a quarter of the time.
gc.set_threshold(500_000, 50, 1000)
# Snakemake parses the path of the script anew for each job, another sixth; the answer for a path is always the same.
snakemake.sourcecache.parse_uri = functools.lru_cache(maxsize=None)(snakemake.sourcecache.parse_uri)
sys.path.insert(0, str(workflow.basedir))

from lib.checkpoints import ROOT, check_models, checkpoint_file
from lib.clips import find_clips
from lib.config import FAMILY_LIMITS, load_config
from lib.errors import InputError
from lib.machine import check_disk, estimate_bytes, estimate_lora_bytes, has_gpu
from lib.provenance import STAGE_VERSIONS, package_versions


def refuse(problems):
    """Stop before any work, with everything that has to change."""
    listed = "\n".join(f"  - {problem}" for problem in problems)
    raise WorkflowError(f"Nothing was started. What has to change:\n{listed}") from None


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

if workflow.is_main_process:  # a cluster's jobs parse this file too: their inputs are checked already
    lora_bytes = estimate_lora_bytes(
        checkpoint_file(SETTINGS.model.name, "transformer/config.json"),
        SETTINGS.training.rank,
        SETTINGS.training.feed_forward,
    )
    video_size = (SETTINGS.video.num_frames, SETTINGS.video.height, SETTINGS.video.width)
    needed_bytes = estimate_bytes(len(CLIPS), len(EDITS), len(METHODS), video_size, lora_bytes)
    blocking = [
        *check_models(
            (SETTINGS.model.name, SETTINGS.model.family),
            SETTINGS.caption.model,
            {f"mask.{key}": getattr(SETTINGS.mask, key) for key in ("detector", "yoloe", "sam2")},
            SETTINGS.metrics.clip_model,
            SETTINGS.model.download,
        ),
        *check_disk(Path(SETTINGS.results), needed_bytes, SETTINGS.min_free_disk),
    ]
    if blocking or not CLIPS:
        refuse([*BATCH.problems, *blocking])
    if BATCH.problems:
        listed = "\n".join(f"  - {problem}" for problem in BATCH.problems)
        print(f"Left out, while the rest goes on ({len(BATCH.problems)} problems):\n{listed}", file=sys.stderr)


pathvars:
    results=SETTINGS.results,
    logs=f"{SETTINGS.results}/logs",
    benchmarks=f"{SETTINGS.results}/benchmarks",


wildcard_constraints:
    clip=r"[^/]+",
    edit=r"[^/]+",
    method=r"[A-Za-z0-9_]+",
    mask=r"edit|first_frame|all_ones|all_zeros",


# Snakemake's own default, but worked out once and not for each job: a tenth of the time that planning takes.
TMPDIR = tempfile.gettempdir()

# The GPUs a job asks for. Profiles of clusters, whose login nodes have none, set their own (set-resources).
NUM_GPUS = int(SETTINGS.model.device == "cuda" or (SETTINGS.model.device == "auto" and has_gpu()))


def clip_of(wildcards):
    """The clip of a job."""
    return CLIPS[wildcards.clip]


def edit_of(wildcards):
    """The edit of a job."""
    return EDITS[wildcards.clip, wildcards.edit]


def captions_of_clip(wildcards):
    """A file that holds the source's caption: that of the clip's first edit."""
    return f"{SETTINGS.results}/{wildcards.clip}/{clip_of(wildcards).edits[0].name}/caption.json"


def masks_of_clip(wildcards):
    """The masks of all edits of a clip: its LoRA is trained with their union."""
    return [f"{SETTINGS.results}/{wildcards.clip}/{edit.name}/edit_mask.mkv" for edit in clip_of(wildcards).edits]


def user_masks_of(wildcards):
    """The user's own masks of an edit: images, or one video; none where they are to be made."""
    edit = edit_of(wildcards)
    return [edit.mask_video] if edit.mask_video else [path for _, path in edit.masks]


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
    return {key: getattr(getattr(SETTINGS, key.split(".")[0]), key.split(".")[1]) for key in keys}


def show_where():
    """Print where the report lies, and again what was left out."""
    print(f"\nReport: {(Path(SETTINGS.results) / 'report' / 'index.html').resolve()}", file=sys.stderr)
    if BATCH.problems:
        print(
            f"{len(BATCH.problems)} input problems: some clips or edits were left out, see the report.", file=sys.stderr
        )
