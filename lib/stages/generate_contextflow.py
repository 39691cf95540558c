"""Edit a clip with ContextFlow, by the run's own model without a LoRA, from what our methods are given."""

from pathlib import Path
from typing import cast

from lib.config.families import family_of
from lib.config.rival_sections import ContextFlowSection
from lib.config.sections import MaskSection, ModelSection, SamplingSection, VideoSection
from lib.core.files import read_json, write_json
from lib.core.progress import Progress
from lib.core.provenance import describe
from lib.execution.devices import describe_device
from lib.masks.compositing import correct_edited
from lib.masks.refusals import refuse
from lib.rivals.contextflow import SharingModel, edit_with_contextflow, encode_contexts
from lib.stages.generate import Outputs, write_edited
from lib.stages.job import Files, Job, Params
from lib.stages.model import load_encoders, load_transformer
from lib.video.reading import read_first_frame, read_mask, read_video

BATCH = 3  # clips in a pass: the source, the edit, and the edit without its prompt


class Inputs(Files):
    """The pixels of clip and edit; the edited frame's caption, unless the user wrote a prompt.

    The mask only says what of the edited frame may differ from the source's (`mask.correct_edited`).
    """

    first_frame: Path
    mask: Path
    mask_facts: Path
    video: Path
    facts: Path
    caption: Path | None = None


class GenerateContextFlow(Params):
    """How the video is edited.

    contextflow: all of it; model: name, family, dtype, weights, device, download and memory; mask: correct_edited;
    video: crf; sampling: negative_prompt.
    windows: of the clip. prompt: the user's own.
    """

    contextflow: ContextFlowSection
    model: ModelSection
    mask: MaskSection
    video: VideoSection
    sampling: SamplingSection
    windows: list[tuple[int, int]]
    prompt: str | None = None


def generate_contextflow(inputs: Inputs, outputs: Outputs, params: GenerateContextFlow, job: Job) -> None:
    """Write an edited video."""
    refuse([inputs.mask_facts])
    source, mask = read_video(inputs.video), read_mask(inputs.mask)
    first_frame = correct_edited(read_first_frame(inputs.first_frame), source[0], mask[0], params.mask.correct_edited)
    prompt = params.prompt
    if prompt is None:
        assert inputs.caption, "without a prompt of the user's the rule gives a caption"
        prompt = str(read_json(inputs.caption)["caption"])
    start, stop = params.windows[0]
    encoders, _ = load_encoders(params.model, job)
    contexts = encode_contexts(encoders, source[start:stop], first_frame, prompt, params.sampling.negative_prompt)
    del encoders  # before the transformer comes: both need not fit
    _, *shape = family_of(params.model.family).latents_shape(stop - start, *source.shape[1:3])
    model, device = load_transformer(params.model, job, latents_shape=(BATCH, *shape), training=False)
    show = Progress("step to the source's noise and back", 2 * params.contextflow.num_steps * len(params.windows)).show
    video = edit_with_contextflow(
        cast(SharingModel, model), source, first_frame, params.windows, contexts, params.contextflow, show
    )
    write_edited(outputs, params.video, video, inputs.facts, inputs.video)
    settings = {**params.described(), "prompt": prompt}
    given = [inputs.first_frame, inputs.mask, inputs.video]
    made = describe("generate_contextflow", settings, given, [outputs.video, outputs.lossless], describe_device(device))
    write_json(outputs.provenance, {**made, "execution": model.execution})
