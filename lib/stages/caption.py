"""Describe one picture in words: frame 0 of a source, or an edited first frame."""

from pathlib import Path

from lib.config.sections import CaptionSection, ModelSection
from lib.core.files import write_json
from lib.core.provenance import describe
from lib.diffusion.captions import caption_frame, load_captioner, make_prompt
from lib.execution.devices import prepare_torch
from lib.inputs.checkpoints import resolve_path
from lib.stages.job import Files, Job, Params
from lib.video.reading import read_first_frame


class Inputs(Files):
    """A video, of which frame 0 is described, or an image."""

    picture: Path


class Outputs(Files):
    """JSON: caption, and prompt, which is the trigger word and the caption."""

    caption: Path


class Caption(Params):
    """caption: the whole section; model: device and download."""

    caption: CaptionSection
    model: ModelSection


def caption(inputs: Inputs, outputs: Outputs, params: Caption, job: Job) -> None:
    """Write the caption of a picture."""
    section = params.caption
    device, _ = prepare_torch(params.model.device, "float32", job.num_threads)
    model, processor = load_captioner(resolve_path(section.model), device, params.model.download)
    words = caption_frame(
        model,
        processor,
        read_first_frame(inputs.picture),
        task=section.task,
        num_beams=section.num_beams,
        max_new_tokens=section.max_new_tokens,
    )
    print(words)
    made = describe("caption", params.described(), [inputs.picture], [])
    prompt = make_prompt(section.trigger_word, words)
    write_json(outputs.caption, {"caption": words, "prompt": prompt, "provenance": made})
