# What a job takes, where its rule cannot say it in a line.
# In: the wildcards of a job. Out: input files and params.
from lib.video.windows import plan_windows


def windows_of(wildcards):
    """The windows in which a clip is edited, as first and last-but-one frame: one for most clips."""
    return plan_windows(len(clip_of(wildcards).indices), SETTINGS.video.num_frames, SETTINGS.video.window_overlap)


def of_clip_and_edit(choose):
    """An input function, from a function of a clip, its edit and the wildcards."""
    return lambda wildcards: choose(clip_of(wildcards), edit_of(wildcards), wildcards)


def of_all_edits(choose):
    """An input function, from a function of a clip, each of its edits and a mask: a LoRA is trained with the union."""
    return lambda wildcards: [choose(clip_of(wildcards), edit, wildcards.mask) for edit in clip_of(wildcards).edits]


def without_user_masks(name):
    """A file of the clip's detection, which an edit with masks of the user's does without."""
    return lambda wildcards: [] if edit_of(wildcards).user_masks else f"{LAYOUT.folder(wildcards.clip)}/{name}"


def appearance_steps(wildcards):
    """Steps of stage 2: more where there is more to learn."""
    more = SETTINGS.training.appearance_steps_per_reference * (len(edit_of(wildcards).references) - 1)
    return SETTINGS.training.appearance_steps + more


def mask_name_of(wildcards):
    """What the mask that a method generates with is called."""
    return LAYOUT.mask_name(method_of(wildcards).generate_mask)


def sampling_of(wildcards):
    """How an edit is generated: as the method says, else the edit, else the run."""
    edit, method = edit_of(wildcards), method_of(wildcards)
    of_run = SETTINGS.sampling.only("shift", "feather", "seed")
    of_method = method.only("num_steps", "guidance", "cache_threshold", "lora_scale", "lock_latents", "composite")
    of_edit = {"seed": edit.seed, "lora_scale": edit.lora_scale}
    chosen = {**of_run, **SETTINGS.sampling.only(*of_method)}
    for given in (of_edit, of_method):
        chosen |= {key: value for key, value in given.items() if value is not None}
    return chosen
