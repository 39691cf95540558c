"""Bring an edited first frame and its references to the source's crop."""

from pathlib import Path

from lib.core.files import read_json, whole_folder
from lib.stages.job import Files, Params
from lib.video.alignment import align_edited_frame
from lib.video.images import write_image


class Inputs(Files):
    """The user's edited frames, and the facts of the source that name its crop."""

    facts: Path
    first_frame: Path
    references: tuple[Path, ...]


class Outputs(Files):
    """The same pictures at the model's size; `references` is a folder, of files named by source frame index."""

    first_frame: Path
    references: Path


class AlignEdit(Params):
    """indices: source frame index of each reference."""

    indices: tuple[int, ...]


def align_edit(inputs: Inputs, outputs: Outputs, params: AlignEdit) -> None:
    """Write the edited frames as the model sees them."""
    facts = read_json(inputs.facts)
    crop, pixel_aspect = facts["crop"], facts["source"]["pixel_aspect"]
    write_image(outputs.first_frame, align_edited_frame(inputs.first_frame, crop, pixel_aspect))
    with whole_folder(outputs.references) as folder:
        for index, reference in zip(params.indices, inputs.references, strict=True):
            write_image(folder / f"{index:05d}.png", align_edited_frame(reference, crop, pixel_aspect))
