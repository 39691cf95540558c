# Settings and the batch.
# In: config.yaml or --configfile, the clips. Out: SETTINGS, BATCH, CLIPS, EDITS, METHODS, LAYOUT.
import gc
import sys
import tempfile
from pathlib import Path
from typing import get_args

# Of lib/. Not workflow.basedir: that is the user's own folder where this is a module.
sys.path.insert(0, str(Path(str(workflow.current_basedir)).parents[1]))

from lib.batch.files import batch_file, job_prefix
from lib.config.families import family_of
from lib.config.sections import MaskKind, MaskShape
from lib.config.settings import load_config
from lib.core.errors import InputError
from lib.core.names import OUTSIDE
from lib.core.project import ROOT
from lib.core.provenance import STAGE_VERSIONS
from lib.execution.gpu_claims import count_gpus
from lib.inputs.clips import find_clips
from lib.inputs.decisions import FILE as DECISIONS_FILE
from lib.inputs.decisions import decisions_of_run, leave_out_undone
from lib.inputs.ids import SAFE
from lib.inputs.layout import OWN, Layout
from lib.inputs.outside import add_outside, list_notes
from lib.inputs.run_checks import check_run
from lib.inputs.targets import clips_of_targets
from lib.masks.detector_classes import check_classes
from lib.masks.edit_checks import check_edits


def refuse(problems):
    """Stop before any work, with everything that has to change."""
    listed = "\n".join(f"  - {problem}" for problem in problems)
    raise WorkflowError(f"Nothing was started. What has to change:\n{listed}") from None


# Looking at clips and planning make millions of objects that stay: looking for garbage among them took a quarter of the
# time, 12 s instead of 9 s until the first of 1,000 clips.
gc.set_threshold(500_000, 50, 1000)

try:
    SETTINGS = load_config(config, ROOT)
    KEPT_DECISIONS = batch_file(SETTINGS.results, "decisions.json")
    DECIDED = decisions_of_run(SETTINGS.results, KEPT_DECISIONS, workflow.is_main_process)
except InputError as error:
    refuse(error.problems)

FRAME_STRIDE = family_of(SETTINGS.model.family).frame_stride
# What is known of the inputs; not in the results: a dry run looks at the inputs too, and leaves no trace there.
SEEN = Path(".snakemake") / "input_checks" / job_prefix(SETTINGS.results)
BATCH = find_clips(
    Path(SETTINGS.clips),
    num_frames=SETTINGS.video.num_frames,
    start=SETTINGS.video.start,
    stride=SETTINGS.video.stride,
    max_windows=SETTINGS.video.max_windows,
    window_overlap=SETTINGS.video.window_overlap,
    frame_stride=FRAME_STRIDE,
    cache=SEEN / "files.json",
    only=None if workflow.is_main_process else clips_of_targets(sys.argv),  # a cluster's job: its own clip
    instruction=SETTINGS.editor.instruction,
)
BATCH = check_edits(
    BATCH,
    width=SETTINGS.video.width,
    height=SETTINGS.video.height,
    threshold=SETTINGS.mask.difference_threshold,
    cache=SEEN / "edits.json",
)
BATCH = leave_out_undone(BATCH, DECIDED, SETTINGS.decisions, str(Path(SETTINGS.results) / DECISIONS_FILE))
BATCH, UNUSED = add_outside(
    BATCH, Path(SETTINGS.clips), SETTINGS.outside_methods, SETTINGS.video, SEEN / "outside.json"
)
CLIPS = {clip.id: clip for clip in BATCH.clips}
EDITS = {(clip.id, edit.id): edit for clip in BATCH.clips for edit in clip.edits}
METHODS = {name: SETTINGS.method(name) for name in SETTINGS.methods}
EXPECTED = [
    (*names, method) for names, edit in EDITS.items() for method in (*METHODS, *(video.id for video in edit.outside))
]
LAYOUT = Layout(
    SETTINGS.results,
    SETTINGS.mask.shape,
    SETTINGS.training.decouple_lora,
    SETTINGS.training.shared,
    SETTINGS.shared.clip_steps,
)

if workflow.is_main_process:  # a cluster's jobs parse this file too: their inputs are checked already
    # A detector that is not there, which check_run says, cannot be asked for its classes.
    blocking = [*UNUSED, *check_run(SETTINGS, BATCH, LAYOUT)] or check_classes(
        SETTINGS.mask.classes, SETTINGS.mask.detector, SEEN / "classes.json"
    )
    if blocking or not EXPECTED:
        refuse([*BATCH.problems, *blocking])
    if BATCH.problems:
        listed = "\n".join(f"  - {problem}" for problem in BATCH.problems)
        print(f"Left out, while the rest goes on ({len(BATCH.problems)} problems):\n{listed}", file=sys.stderr)
    for note in list_notes(BATCH):
        print(f"Outside video of {note}", file=sys.stderr)


pathvars:
    results=SETTINGS.results,
    logs=f"{SETTINGS.results}/logs",
    benchmarks=f"{SETTINGS.results}/benchmarks",


wildcard_constraints:
    clip=SAFE.pattern,
    edit=SAFE.pattern,
    method=rf"(?!{OUTSIDE})[A-Za-z0-9_]+",  # ours: those of other tools have rules of their own
    mask="|".join(get_args(MaskKind)),
    shape="|".join(get_args(MaskShape)),
    lora=rf"({OWN})?\w+",


# Snakemake's own default, but worked out once and not for each job: a tenth of the time that planning takes.
TMPDIR = tempfile.gettempdir()

# The GPUs a job asks for. Profiles of clusters, whose login nodes have none, set their own (set-resources).
NUM_GPUS = int(SETTINGS.model.device == "cuda" or (SETTINGS.model.device == "auto" and count_gpus() > 0))


def attempt_of(wildcards, attempt):
    """Which attempt of this run a job is, from 1: its script must know."""
    return attempt
