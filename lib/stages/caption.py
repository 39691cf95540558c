"""Describe one picture in words: frame 0 of a source, or an edited first frame."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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
    (described,) = describe_pictures([read_first_frame(inputs.picture)], params, job)
    made = describe("caption", params.described(), [inputs.picture], [])
    write_json(outputs.caption, {**described, "provenance": made})


def describe_pictures(pictures: Sequence[NDArray[np.uint8]], params: Caption, job: Job) -> list[dict[str, str]]:
    """Return of each picture, (height, width, 3) uint8 RGB, its `caption`, and the `prompt` made of it."""
    section = params.caption
    device, _ = prepare_torch(params.model.device, "float32", job.num_threads)
    model, processor = load_captioner(resolve_path(section.model), device, params.model.download)
    described = []
    for picture in pictures:
        words = caption_frame(
            model,
            processor,
            picture,
            task=section.task,
            num_beams=section.num_beams,
            max_new_tokens=section.max_new_tokens,
        )
        print(words)
        described.append({"caption": words, "prompt": make_prompt(section.trigger_word, words)})
    return described
