# Settings, the batch, and the input functions of all rules.
# In: config.yaml or --configfile, the clips. Out: SETTINGS, CLIPS, EDITS, METHODS and functions of the wildcards.
import sys
import tempfile
from pathlib import Path
from typing import get_args

sys.path.insert(0, str(workflow.basedir))

from lib.core.project import ROOT
from lib.inputs.checkpoints import check_models, checkpoint_file
from lib.inputs.clips import find_clips
from lib.config.settings import FAMILY_LIMITS, load_config
from lib.config.sections import MaskKind, MaskShape
from lib.core.errors import InputError, Problem
from lib.core.failures import write_failure
from lib.inputs.lora_files import check_reused_loras, reused_lora
from lib.execution.gpu_claims import has_gpu
from lib.inputs.disk import check_disk, estimate_bytes, estimate_lora_bytes
from lib.core.provenance import STAGE_VERSIONS, package_versions
from lib.video.windows import plan_windows


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
    max_windows=SETTINGS.video.max_windows,
    window_overlap=SETTINGS.video.window_overlap,
    frame_stride=FAMILY_LIMITS[SETTINGS.model.family][0],
    cache=Path(SETTINGS.results) / ".input_checks.json",
)
CLIPS = {clip.name: clip for clip in BATCH.clips}
EDITS = {(clip.name, edit.name): edit for clip in BATCH.clips for edit in clip.edits}
METHODS = {name: SETTINGS.method(name) for name in SETTINGS.methods}
EXPECTED = [(clip, edit, method) for clip, edit in EDITS for method in METHODS]


def known_mask(kind):
    """The name of a kind of mask in results: the run's own shape is `edit`."""
    return "edit" if kind == SETTINGS.mask.shape else kind


if workflow.is_main_process:  # a cluster's jobs parse this file too: their inputs are checked already
    shape = checkpoint_file(SETTINGS.model.name, "transformer/config.json")
    lora_bytes = estimate_lora_bytes(shape, SETTINGS.training.rank, SETTINGS.training.layers)
    longest = max((len(clip.indices) for clip in CLIPS.values()), default=0)
    video_size = (longest, SETTINGS.video.height, SETTINGS.video.width)
    needed_bytes = estimate_bytes(len(CLIPS), len(EDITS), len(METHODS), video_size, lora_bytes)
    blocking = [
        *check_models(
            (SETTINGS.model.name, SETTINGS.model.family),
            SETTINGS.caption.model,
            {f"mask.{key}": getattr(SETTINGS.mask, key) for key in ("detector", "yoloe", "sam2")},
            SETTINGS.metrics.clip_model,
            SETTINGS.model.download,
        ),
        *check_reused_loras(
            SETTINGS.training.decouple_lora,
            list(CLIPS),
            sorted({known_mask(method.train_mask) for method in METHODS.values() if method.train_mask}),
            shape,
            SETTINGS.training.rank,
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
    mask="|".join(get_args(MaskKind)),
    shape="|".join(get_args(MaskShape)),
    lora=r"(own_)?\w+",


# Snakemake's own default, but worked out once and not for each job: a tenth of the time that planning takes.
TMPDIR = tempfile.gettempdir()

# The GPUs a job asks for. Profiles of clusters, whose login nodes have none, set their own (set-resources).
NUM_GPUS = int(SETTINGS.model.device == "cuda" or (SETTINGS.model.device == "auto" and has_gpu()))


def attempt_of(wildcards, attempt):
    """Which attempt of this run a job is, from 1: its script must know."""
    return attempt


def clip_of(wildcards):
    """The clip of a job."""
    return CLIPS[wildcards.clip] if wildcards.clip in CLIPS else say_lost(wildcards.clip)


def edit_of(wildcards):
    """The edit of a job."""
    names = (wildcards.clip, wildcards.edit)
    return EDITS[names] if names in EDITS else say_lost(wildcards.clip)


def say_lost(clip):
    """End a job on a cluster, which looks anew, where its clip is not what it was when the driver planned it."""
    found = [str(problem) for problem in BATCH.problems if problem.clip == clip]
    lost = Problem(SETTINGS.clips, f"no usable clip '{clip}' any more", "it to stay until the run ends")
    reason = "; ".join(found or [str(lost)])
    log = Path(SETTINGS.results, "logs", clip, "extract_frames.log")
    write_failure(log, "input", reason, workflow.execution_settings.attempt, [])
    raise WorkflowError(reason)


def captions_of_clip(wildcards):
    """A file that holds the source's caption: that of the clip's first edit."""
    return f"{SETTINGS.results}/{wildcards.clip}/{clip_of(wildcards).edits[0].name}/caption.json"


def windows_of(wildcards):
    """The windows in which a clip is edited, as first and last-but-one frame: one for most clips."""
    return plan_windows(len(clip_of(wildcards).indices), SETTINGS.video.num_frames, SETTINGS.video.window_overlap)


def mask_file(clip, edit, kind):
    """The mask that a kind is drawn from; a user's own mask has only one shape."""
    folder = f"{SETTINGS.results}/{clip}/{edit}"
    is_shape = kind in get_args(MaskShape) and not user_masks(EDITS[clip, edit])
    return f"{folder}/masks/{kind}.mkv" if is_shape else f"{folder}/edit_mask.mkv"


def mask_of_edit(wildcards):
    """The mask of an edit, as a rule's wildcard `mask` names it."""
    return mask_file(wildcards.clip, wildcards.edit, wildcards.mask)


def mask_of_method(wildcards):
    """The mask that a method generates an edit with."""
    return mask_file(wildcards.clip, wildcards.edit, known_mask(METHODS[wildcards.method].generate_mask))


def masks_of_clip(wildcards):
    """The masks of all edits of a clip: its LoRA is trained with their union."""
    return [mask_file(wildcards.clip, edit.name, wildcards.mask) for edit in clip_of(wildcards).edits]


def user_masks(edit):
    """The user's own masks of an edit: images, or one video; none where they are to be made."""
    return [edit.mask_video] if edit.mask_video else [path for _, path in edit.masks]


def stage_1_lora(clip, edit, lora):
    """The LoRA of stage 1: the edit's own, one of an earlier run, or the clip's."""
    if lora.startswith("own_"):
        return f"{SETTINGS.results}/{clip}/{edit}/lora/{lora}/decouple.safetensors"
    reused = reused_lora(SETTINGS.training.decouple_lora, clip, lora)
    return str(reused) if reused else f"{SETTINGS.results}/{clip}/lora/{lora}/decouple.safetensors"


def lora_of(wildcards):
    """The LoRA that a method generates an edit with: none, that of stage 1, or of stage 2 if it has references."""
    method = METHODS[wildcards.method]
    if method.train_mask is None:
        return []
    own = not method.shared_lora and len(clip_of(wildcards).edits) > 1
    lora = f"{'own_' if own else ''}{known_mask(method.train_mask)}"
    if edit_of(wildcards).references and method.references:
        return [f"{SETTINGS.results}/{wildcards.clip}/{wildcards.edit}/lora/{lora}/appearance.safetensors"]
    return [stage_1_lora(wildcards.clip, wildcards.edit, lora)]


def source_of_lora(wildcards):
    """What stage 1 of a LoRA was trained on, which stage 2 repeats."""
    own, mask = wildcards.lora.startswith("own_"), wildcards.lora.removeprefix("own_")
    clip_folder = f"{SETTINGS.results}/{wildcards.clip}"
    return (
        f"{clip_folder}/{wildcards.edit}/encoded/source_{mask}.safetensors"
        if own
        else (f"{clip_folder}/encoded/{mask}.safetensors")
    )


def encoded_of(wildcards):
    """What a method generates an edit from."""
    mask = known_mask(METHODS[wildcards.method].generate_mask)
    return f"{SETTINGS.results}/{wildcards.clip}/{wildcards.edit}/encoded/{mask}.safetensors"


def lora_scale_of(wildcards):
    """The strength of the LoRA: the method's, the edit's, or the run's."""
    given = (METHODS[wildcards.method].lora_scale, edit_of(wildcards).lora_scale, SETTINGS.sampling.lora_scale)
    return next(scale for scale in given if scale is not None)


def of_method(key):
    """A setting of the sampling section, of which a method may have its own."""

    def choose(wildcards):
        own = getattr(METHODS[wildcards.method], key)
        return getattr(SETTINGS.sampling, key) if own is None else own

    return choose


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
