"""Make an edited frame that is given as an instruction, the first one or a reference: tries, the best by measure."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from lib.config.editor_section import EditorSection
from lib.config.sections import MaskSection, ModelSection
from lib.core.files import read_json, whole_folder, write_json
from lib.core.progress import Progress
from lib.core.provenance import describe
from lib.editors.load import load_editor
from lib.editors.tries import Try, measure_try, rank_tries, why_no_try
from lib.execution.devices import describe_device, prepare_torch
from lib.inputs.checkpoints import resolve_path
from lib.masks.compositing import correct_edited
from lib.masks.refusals import refusal
from lib.metrics.similarity import embed_frames
from lib.scores.contrastive import embed_texts, load_clip_pair
from lib.stages.job import Files, Job, Params
from lib.video.alignment import align_edited_frame, read_user_mask
from lib.video.arrays import Mask, Picture
from lib.video.crops import Crop, apply_crop, cut_out, uncropped
from lib.video.images import write_image
from lib.video.reading import read_frames


class Inputs(Files):
    """The source, its facts, and the user's masks: that of the frame, or a video of all; or none.

    first_frame: the edited one, of a reference; shown to an editor that takes several pictures.
    """

    source: Path
    facts: Path
    masks: tuple[Path, ...]
    first_frame: Path | None = None


class Outputs(Files):
    """The picture that is taken, all tries as SEED.png, and JSON: what is known of each, and why none is an edit."""

    picture: Path
    tries: Path
    facts: Path


class EditFirstFrame(Params):
    """How the frame is made.

    editor: all of it but instruction; model: dtype, device, download and memory; mask: difference_threshold,
    global_share and correct_edited.
    index: of the frame in the source. instruction: what to change. mask_indices: source frame index of the user's mask
    image; empty: a video, or none. is_part: whether the user said that a part of the picture is meant. clip, edit: as
    the user calls them.
    """

    editor: EditorSection
    model: ModelSection
    mask: MaskSection
    index: int
    instruction: str
    mask_indices: tuple[int, ...]
    is_part: bool
    clip: str
    edit: str


def edit_first_frame(inputs: Inputs, outputs: Outputs, params: EditFirstFrame, job: Job) -> None:
    """Write the edited frame, uncropped, as a user would give it."""
    facts, index = read_json(inputs.facts), params.index
    crop = Crop(**facts["crop"])
    whole = uncropped(crop)
    source: Picture = read_frames(inputs.source, [index], lambda picture: apply_crop(picture, whole))[0][0]
    region = None
    if inputs.masks:
        region = read_user_mask(inputs.masks, params.mask_indices, [index], asdict(whole))[0]
    extra = []
    if inputs.first_frame:
        pixel_aspect = facts["source"]["pixel_aspect"]
        extra = [align_edited_frame(inputs.first_frame, asdict(whole), pixel_aspect)]
    device, dtype = prepare_torch(params.model.device, params.model.dtype, job.num_threads)
    made = _make_tries(source, extra, params, device, dtype)
    taken = [_keep_outside(picture, source, region, params.mask.correct_edited) for picture in made]
    tries = _measure_tries(source, made, taken, region, crop, params, device)
    most_share = params.mask.global_share if params.is_part else 1.0
    ranking = rank_tries(tries, most_share)
    best = ranking[0]
    print(f"taken: {tries[best]}")
    with whole_folder(outputs.tries) as folder:
        for one, picture in zip(tries, taken, strict=True):
            write_image(folder / f"{one.seed}.png", picture)
    write_image(outputs.picture, taken[best])
    problem = why_no_try(tries, most_share, params.instruction)
    if problem:
        print(f"not made: {problem.found}; expected {problem.expected}. See {outputs.tries}")
    known = {
        "instruction": params.instruction,
        "seed": tries[best].seed,
        "ranking": [tries[place].seed for place in ranking],
        "tries": [asdict(one) for one in tries],
        **(refusal(problem, params.clip, params.edit) if problem else {}),
    }
    given = [inputs.source, *inputs.masks, *([inputs.first_frame] if inputs.first_frame else [])]
    written = [outputs.picture, outputs.tries]
    record = describe("edit_first_frame", params.described(), given, written, describe_device(device))
    write_json(outputs.facts, {**known, "provenance": record})


def _make_tries(
    source: Picture, extra: Sequence[Picture], params: EditFirstFrame, device: torch.device, dtype: torch.dtype
) -> list[Picture]:
    """Let the editor try, once for each seed, shown as many pictures as it takes; its memory is free again then."""
    section = params.editor
    assert section.model, "a run without an editor has no edits by instruction"
    name = resolve_path(section.model)
    editor = load_editor(name, section, device, dtype, params.model.memory, params.model.download)
    progress, made = Progress("try", section.num_tries), []
    for number in range(section.num_tries):
        made.append(editor.edit(source, params.instruction, section.seed + number, extra[: editor.num_extra]))
        progress.show(number + 1)
    return made


def _keep_outside(made: Picture, source: Picture, region: Mask | None, how: str) -> Picture:
    """Put the source back outside the region, if there is one; first, where the run asks for it, its colours inside."""
    if region is None:
        return made
    matched = correct_edited(made, source, region, "colour") if how == "colour" else made
    return correct_edited(matched, source, region, "composite")


def _measure_tries(
    source: Picture,
    made: Sequence[Picture],
    taken: Sequence[Picture],
    region: Mask | None,
    crop: Crop,
    params: EditFirstFrame,
    device: torch.device,
) -> list[Try]:
    """Measure each try in that part of the picture which training sees."""
    seen, seen_region = cut_out(source, crop), None if region is None else cut_out(region, crop)
    pictures = [cut_out(picture, crop) for picture in taken]
    tries = [
        measure_try(
            params.editor.seed + number,
            seen,
            cut_out(made[number], crop),
            pictures[number],
            seen_region,
            params.mask.difference_threshold,
        )
        for number in range(len(made))
    ]
    if params.editor.clip_model is None:
        return tries
    clip = load_clip_pair(resolve_path(params.editor.clip_model), device, params.model.download)
    cosines = embed_frames(np.stack([seen, *pictures]), clip.images) @ embed_texts([params.instruction], clip)[0]
    return [replace(one, alignment=float(cosine - cosines[0])) for one, cosine in zip(tries, cosines[1:], strict=True)]
