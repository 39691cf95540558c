"""Describe each reference of an edit in words, for stage 2 to show it with a prompt of its own."""

from pathlib import Path

from lib.core.files import write_json
from lib.core.provenance import describe
from lib.stages.caption import Caption, describe_pictures
from lib.stages.job import Files, Job
from lib.video.images import read_image


class Inputs(Files):
    """A folder of edited frames, named by source frame index."""

    references: Path


class Outputs(Files):
    """JSON: of each reference, by its name there, caption and prompt as those of the edited first frame."""

    captions: Path


def caption_references(inputs: Inputs, outputs: Outputs, params: Caption, job: Job) -> None:
    """Write the captions of an edit's references."""
    paths = sorted(inputs.references.glob("*.png"))
    described = describe_pictures([read_image(path) for path in paths], params, job)
    references = {path.stem: words for path, words in zip(paths, described, strict=True)}
    made = describe("caption", params.described(), paths, [])
    write_json(outputs.captions, {"references": references, "provenance": made})
