# What a job is about, and what it takes where its rule cannot say it in a line.
# In: the wildcards of a job. Out: its clip, edit and method; input files and params.
from lib.config.score_sections import BACKGROUND_SCORES, PROMPT_SCORES, SOURCE_SCORES, ScoreName
from lib.core.errors import Problem
from lib.core.failures import write_failure
from lib.core.names import name_of
from lib.training.schedule import count_steps
from lib.video.windows import plan_windows

WEIGHTS = SETTINGS.scores.only("deqa", "lpips", "dists", "text_alignment", "pick_score", "clip_iqa", "dino", "judge")
SCORES = [score for score, weights in WEIGHTS.items() if weights]


def clip_of(wildcards):
    """The clip of a job."""
    return CLIPS[wildcards.clip] if wildcards.clip in CLIPS else say_lost(wildcards.clip)


def edit_of(wildcards):
    """The edit of a job."""
    names = (wildcards.clip, wildcards.edit)
    return EDITS[names] if names in EDITS else say_lost(wildcards.clip)


def method_of(wildcards):
    """The method of a job."""
    return METHODS[wildcards.method]


def say_lost(clip):
    """End a job on a cluster, which looks anew, where its clip is not what it was when the driver planned it."""
    name = name_of(BATCH.names, clip)
    found = [str(problem) for problem in BATCH.problems if problem.clip == name]
    lost = Problem(SETTINGS.clips, f"no usable clip '{name}' any more", "it to stay until the run ends")
    reason = "; ".join(found or [str(lost)])
    log = Path(SETTINGS.results, "logs", clip, "extract_frames.log")
    write_failure(log, "input", reason, workflow.execution_settings.attempt, [])
    raise WorkflowError(reason)


def windows_of(wildcards):
    """The windows in which a clip is edited, as first and last-but-one frame: one for most clips."""
    return plan_windows(len(clip_of(wildcards).indices), SETTINGS.video.num_frames, SETTINGS.video.window_overlap)


def usable_frames_of(wildcards):
    """How many frames a clip's source has at the run's stride, from video.start."""
    num_frames, start = clip_of(wildcards).info.num_frames, SETTINGS.video.start
    return -(-(num_frames - start) // SETTINGS.video.stride)


def of_clip_and_edit(choose):
    """An input function, from a function of a clip, its edit and the wildcards."""
    return lambda wildcards: choose(clip_of(wildcards), edit_of(wildcards), wildcards)


def of_all_edits(choose):
    """An input function, from a function of a clip, each of its edits and a mask: a LoRA is trained with the union."""
    return lambda wildcards: [choose(clip_of(wildcards), edit, wildcards.mask) for edit in clip_of(wildcards).edits]


def without_user_masks(name):
    """A file of the clip's detection, which an edit with masks of the user's does without."""
    return lambda wildcards: [] if edit_of(wildcards).user_masks else f"{LAYOUT.folder(wildcards.clip)}/{name}"


def starts_from_shared(wildcards):
    """Whether a LoRA goes on from a shared one."""
    name = wildcards.get("lora") or wildcards.mask
    return LAYOUT.shared_lora(name.removeprefix(OWN)) is not None


def share_of_copies(share):
    """The share of steps on recoloured copies, where there are any."""
    return share if SETTINGS.training.recoloured_copies else 0.0


def stage_1_settings(wildcards):
    """The settings of stage 1: from a shared LoRA few steps of few layers, so that little is forgotten."""
    if starts_from_shared(wildcards):
        own = dict(
            learning_rate=SETTINGS.shared.clip_learning_rate,
            layers=SETTINGS.shared.clip_layers,
            recoloured_share=share_of_copies(SETTINGS.shared.clip_recoloured_share),
        )
    else:
        own = dict(
            learning_rate=SETTINGS.training.learning_rate,
            recoloured_share=share_of_copies(SETTINGS.training.recoloured_share),
        )
    return {**TRAINING, **own}


def stage_1_steps(wildcards):
    """Steps of stage 1: a longer clip has more to learn, as many steps for each of its windows."""
    shared, fresh = SETTINGS.shared.clip_steps, SETTINGS.training.decouple_steps
    return (shared if starts_from_shared(wildcards) else fresh) * len(windows_of(wildcards))


def stage_2_settings(wildcards):
    """The settings of stage 2."""
    given = SETTINGS.shared.appearance_learning_rate if starts_from_shared(wildcards) else None
    rate = given or SETTINGS.training.appearance_learning_rate or SETTINGS.training.learning_rate
    return {
        **TRAINING,
        "learning_rate": rate,
        "recoloured_share": share_of_copies(SETTINGS.training.recoloured_share),
    }


def reference_captions_of(wildcards):
    """The captions of an edit's references, where these are prompts of their own and the user wrote none."""
    edit = edit_of(wildcards)
    own = SETTINGS.training.reference_caption == "own" and edit.references and not edit.prompt
    return f"{LAYOUT.folder(wildcards.clip, wildcards.edit)}/reference_captions.json" if own else []


def appearance_steps(wildcards):
    """Steps of stage 2: more where there is more to learn."""
    shared, fresh = SETTINGS.shared.appearance_steps, SETTINGS.training.appearance_steps
    num_more, num_references = SETTINGS.training.appearance_steps_per_reference, len(edit_of(wildcards).references)
    return count_steps(shared if starts_from_shared(wildcards) else fresh, num_more, num_references)


def mask_name_of(wildcards):
    """What the mask that a method generates with is called."""
    return LAYOUT.mask_name(method_of(wildcards).generate_mask)


def sampling_of(wildcards):
    """How an edit is generated: as the method says, else the edit, else the run."""
    edit, method = edit_of(wildcards), method_of(wildcards)
    of_run = SETTINGS.sampling.only("shift", "feather", "seed")
    of_method = method.only("num_steps", "guidance", "cache_threshold", "lora_scale", "lock_latents", "composite")
    of_edit = {key: getattr(edit, key) for key in ("seed", "lora_scale", "num_steps", "guidance")}
    chosen = {**of_run, **SETTINGS.sampling.only(*of_method)}
    for given in (of_edit, of_method):
        chosen |= {key: value for key, value in given.items() if value is not None}
    return chosen


def steered_from(wildcards):
    """What guidance steers an edit away from: as the edit says, else the run."""
    own = edit_of(wildcards).negative_prompt
    return {"negative_prompt": SETTINGS.sampling.negative_prompt if own is None else own}


def outside_of(wildcards):
    """The outside video of a job."""
    found = [video for video in edit_of(wildcards).outside if video.id == wildcards.method]
    return found[0] if found else say_lost(wildcards.clip)


def scores_of(videos):
    """The files of all further scores of edited videos."""
    return [f"{SETTINGS.results}/{'/'.join(names)}/scores/{score}.json" for names in videos for score in SCORES]


def for_background(path):
    """A file of the clip or edit that scores of the background need."""
    return lambda wildcards: (
        f"{SETTINGS.results}/{path.format(**wildcards)}" if wildcards.score in BACKGROUND_SCORES else []
    )
