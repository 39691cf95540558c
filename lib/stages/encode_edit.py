"""Encode what an edit is generated from, and its references for stage 2."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from lib.config.sections import CaptionSection, MaskSection, ModelSection, ReferenceContext, SamplingSection
from lib.core.files import read_json, write_json
from lib.core.provenance import describe
from lib.diffusion import encoding
from lib.diffusion.captions import make_prompt
from lib.execution.devices import describe_device
from lib.masks.compositing import correct_edited
from lib.masks.refusals import refuse
from lib.stages.job import Files, Job, Params
from lib.stages.model import load_encoders
from lib.video.alignment import read_references
from lib.video.reading import read_first_frame, read_mask, read_video


class Inputs(Files):
    """The clip, the edited frames and their mask; the edited frame's caption, unless the user wrote a prompt.

    reference_captions: of each reference, where they are prompts of their own.
    """

    video: Path
    facts: Path
    first_frame: Path
    references: Path
    caption: Path | None
    reference_captions: Path | None = None
    mask: Path
    mask_facts: Path


class Outputs(Files):
    """Groups of tensors, see `lib.diffusion.encoding.Encoded`; and what made them."""

    encoded: Path
    provenance: Path


class EncodeEdit(Params):
    """What is encoded, and by which model.

    model: name, family, dtype, device, download and memory; mask: correct_edited; sampling: negative_prompt and
    image_context; caption: trigger_word.
    mask_kind, reference_sample, reference_context, window: see `lib.diffusion.encoding.encode_edit`.
    own_prompt: the user's.
    """

    model: ModelSection
    mask: MaskSection
    sampling: SamplingSection
    caption: CaptionSection
    mask_kind: str
    reference_sample: Literal["still", "placed"] | None
    reference_context: ReferenceContext | None
    window: int
    own_prompt: str | None


def encode_edit(inputs: Inputs, outputs: Outputs, params: EncodeEdit, job: Job) -> None:
    """Write what an edit is generated from, and a sample for each reference."""
    refuse([inputs.mask_facts])
    model, device = load_encoders(params.model, job)
    video, mask = read_video(inputs.video), read_mask(inputs.mask)
    indices = read_json(inputs.facts)["indices"]
    references = read_references(inputs.references, indices)
    given = {0: read_first_frame(inputs.first_frame), **references}
    how = params.mask.correct_edited
    edited = {index: correct_edited(frame, video[index], mask[index], how) for index, frame in given.items()}
    prompt = make_prompt(params.caption.trigger_word, _words(inputs, params))
    prompts = _reference_prompts(inputs, indices)
    encoded = encoding.encode_edit(
        model,
        video,
        edited.pop(0),
        edited,
        mask,
        prompt=prompt,
        negative_prompt=params.sampling.negative_prompt,
        mask_kind=params.mask_kind,
        reference_sample=params.reference_sample or "still",
        image_context=params.sampling.image_context,
        reference_context=params.reference_context or "generation",
        reference_prompts=prompts,
        window=params.window,
    )
    encoding.save_encoded(encoded, outputs.encoded)
    settings = {**params.described(), "prompt": prompt, "reference_prompts": prompts}
    captions = (inputs.caption, inputs.reference_captions)
    there = [path for path in (inputs.video, inputs.first_frame, inputs.references, *captions, inputs.mask) if path]
    write_json(outputs.provenance, describe("encode", settings, there, [outputs.encoded], describe_device(device)))


def _words(inputs: Inputs, params: EncodeEdit) -> str:
    """Return what the edited video is said to show: in the user's words, or the captioner's."""
    if params.own_prompt is not None:
        return params.own_prompt
    assert inputs.caption, "without a prompt of the user's the rule gives a caption"
    words: str = read_json(inputs.caption)["caption"]
    return words


def _reference_prompts(inputs: Inputs, indices: Sequence[int]) -> dict[int, str]:
    """Return the references' own prompts by their position among the sampled frames; none where they have none."""
    if inputs.reference_captions is None:
        return {}
    made = read_json(inputs.reference_captions)["references"]
    return {indices.index(int(index)): each["prompt"] for index, each in made.items()}
