"""The section of config.yaml on the model that edits a first frame as an instruction says."""

from typing import Annotated

from pydantic import Field

from lib.config.sections import PositiveInt, Section, Seed

EDITOR_PIPELINES = (
    "StableDiffusionInstructPix2PixPipeline",
    "FluxKontextPipeline",
    "QwenImageEditPipeline",
    "QwenImageEditPlusPipeline",
)
"""Classes of diffusers that a folder's model_index.json may name; lib.editors has an adapter for each."""

NEED_TORCHVISION = ("QwenImageEditPipeline", "QwenImageEditPlusPipeline")


class EditorSection(Section):
    """Edits that are given in words: an image editing model makes the first frame."""

    model: str | None = Field(
        None,
        description="local folder or hub id of an image editing pipeline: InstructPix2Pix, FLUX.1 Kontext or"
        " Qwen-Image-Edit; null: none",
    )
    instruction: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="what to change, in words, such as: make the car red; of all edits that have neither a first frame"
        " nor an instruction of their own, and of clips without edits, which get one called instructed",
    )
    num_steps: PositiveInt | None = Field(None, description="denoising steps; null: as its authors say")
    guidance: Annotated[float, Field(ge=1)] | None = Field(
        None, description="how closely it follows the words; null: as its authors say"
    )
    image_guidance: Annotated[float, Field(ge=1)] = Field(
        1.5, description="of InstructPix2Pix, how closely it follows the picture"
    )
    megapixels: Annotated[float, Field(gt=0, le=16)] | None = Field(
        None, description="area at which pictures are edited; null: as it was trained; InstructPix2Pix: the frame's own"
    )
    num_tries: Annotated[int, Field(ge=1, le=64)] = Field(
        4, description="first frames to make, of which the best by measure is taken; all are kept"
    )
    clip_model: str | None = Field(
        None,
        description="local folder or hub id of a CLIP model, which tells of each try how far it came nearer to the"
        " words; null: tries are measured by their change alone",
    )
    seed: Seed = Field(0, description="of the first try's noise; each later one takes the next")
