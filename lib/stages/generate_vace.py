"""Edit a clip with VACE, a model of others, from what our methods are given."""

from lib.config.rival_sections import VaceSection
from lib.config.sections import MaskSection, ModelSection, SamplingSection, VideoSection
from lib.core.files import write_json
from lib.core.progress import Progress
from lib.core.provenance import describe
from lib.execution.devices import describe_device, prepare_torch
from lib.inputs.checkpoints import resolve_path
from lib.rivals.vace import Edit, edit_with_vace, load_vace
from lib.stages.generate import Outputs, write_edited
from lib.stages.job import Job, Params
from lib.stages.rival import Inputs, read_edit


class GenerateVace(Params):
    """How the video is edited.

    vace: all of it; model: dtype, device, download and memory; mask: correct_edited; video: crf; sampling: seed (the
    edit's or the run's) and negative_prompt.
    windows: of the clip. prompt: the user's own.
    """

    vace: VaceSection
    model: ModelSection
    mask: MaskSection
    video: VideoSection
    sampling: SamplingSection
    windows: list[tuple[int, int]]
    prompt: str | None = None


def generate_vace(inputs: Inputs, outputs: Outputs, params: GenerateVace, job: Job) -> None:
    """Write an edited video."""
    device, dtype = prepare_torch(params.model.device, params.model.dtype, job.num_threads)
    source, mask, first_frame, prompt = read_edit(inputs, params.mask.correct_edited, params.prompt)
    assert params.vace.name, "a run without a VACE model has no such method"
    name = resolve_path(params.vace.name)
    pipeline = load_vace(name, device, dtype, params.model.memory, params.model.download)
    edit = Edit(source, first_frame, mask, prompt, params.sampling.negative_prompt)
    show = Progress("denoising step", params.vace.num_steps * len(params.windows)).show
    video = edit_with_vace(pipeline, edit, params.windows, params.vace, params.sampling.seed, show)
    write_edited(outputs, params.video, video, inputs.facts, inputs.video)
    settings = {**params.described(), "prompt": prompt}
    made = describe("generate_vace", settings, inputs.read, [outputs.video, outputs.lossless], describe_device(device))
    write_json(outputs.provenance, made)
