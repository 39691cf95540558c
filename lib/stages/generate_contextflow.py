"""Edit a clip with ContextFlow, by the run's own model without a LoRA, from what our methods are given."""

from typing import cast

from lib.config.families import family_of
from lib.config.rival_sections import ContextFlowSection
from lib.config.sections import MaskSection, ModelSection, SamplingSection, VideoSection
from lib.core.files import write_json
from lib.core.progress import Progress
from lib.core.provenance import describe
from lib.execution.devices import describe_device
from lib.rivals.contextflow import SharingModel, edit_with_contextflow, encode_contexts
from lib.stages.generate import Outputs, write_edited
from lib.stages.job import Job, Params
from lib.stages.model import load_encoders, load_transformer
from lib.stages.rival import Inputs, read_edit

BATCH = 3  # clips in a pass: the source, the edit, and the edit without its prompt


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
    source, _, first_frame, prompt = read_edit(inputs, params.mask.correct_edited, params.prompt)
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
    made = describe(
        "generate_contextflow", settings, inputs.read, [outputs.video, outputs.lossless], describe_device(device)
    )
    write_json(outputs.provenance, {**made, "execution": model.execution})
