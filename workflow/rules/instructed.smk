# Edits that are given in words: which of their frames are made, and how.
# In: the wildcards of a job. Out: input files and params.
from lib.core.names import name_of


def first_frame_of(wildcards):
    """The edited first frame: the user's, or the one that is made as the instruction says."""
    made = f"{LAYOUT.folder(wildcards.clip, wildcards.edit)}/made_first_frame.png"
    return edit_of(wildcards).first_frame or made


def references_of(wildcards):
    """The references: the user's, and those that are made as instructions say."""
    folder = f"{LAYOUT.folder(wildcards.clip, wildcards.edit)}/made_references"
    return [path or f"{folder}/{index}.png" for index, path in edit_of(wildcards).references]


def instructed_of(wildcards):
    """What is known of the frames that are made; none where all are the user's."""
    folder, edit = LAYOUT.folder(wildcards.clip, wildcards.edit), edit_of(wildcards)
    first = [f"{folder}/made_first_frame.json"] if edit.instruction else []
    return first + [f"{folder}/made_references/{index}.json" for index, _ in edit.reference_instructions]


def frame_to_make(wildcards):
    """Source index of the frame that a job makes: a reference's, or that of the first frame."""
    return int(wildcards.get("index", clip_of(wildcards).indices[0]))


def frame_masks_of(wildcards):
    """The user's mask of that frame, with its index; or the video of all masks, without one."""
    edit, index = edit_of(wildcards), frame_to_make(wildcards)
    return [(None, edit.mask_video)] if edit.mask_video else [mask for mask in edit.masks if mask[0] == index]


def instruction_of(wildcards):
    """How that frame is made, for the params of its job."""
    edit, index = edit_of(wildcards), frame_to_make(wildcards)
    return dict(
        index=index,
        instruction=dict(edit.reference_instructions).get(index, edit.instruction),
        mask_indices=[masked for masked, _ in frame_masks_of(wildcards) if masked is not None],
        is_part=edit.classes is not None,
        clip=name_of(BATCH.names, wildcards.clip),
        edit=name_of(BATCH.names, wildcards.clip, wildcards.edit),
    )
