"""The sections of config.yaml on models of others, which methods compare ours with."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from lib.config.sections import Section


class VaceSection(Section):
    """Wan2.1 VACE, the model of the method `vace`."""

    name: str | None = Field(
        None, description="local folder or hub id of a WanVACEPipeline, such as Wan-AI/Wan2.1-VACE-14B-diffusers"
    )
    first_frame: Literal["frame", "reference", "both"] = Field(
        "frame",
        description="how it is given the edited first frame; frame: as frame 0 of the video, to keep; reference: as a"
        " picture beside it, frame 0 being filled as all others; both",
    )
    num_steps: PositiveInt = Field(50, description="denoising steps (UniPC)")
    guidance: Annotated[float, Field(ge=1)] = Field(5.0, description="classifier-free guidance scale; 1: off")
    shift: Annotated[float, Field(gt=0)] = Field(3.0, description="flow shift of the noise levels; 5 at 720p")
    conditioning_scale: Annotated[float, Field(ge=0)] = Field(1.0, description="strength of what it is shown")


class ContextFlowSection(Section):
    """ContextFlow, the method `contextflow`: an edit by the run's own model, with no LoRA and no mask."""

    num_steps: PositiveInt = Field(50, description="steps back to noise, and as many to the edit; two passes each")
    guidance: Annotated[float, Field(ge=1)] = Field(3.0, description="classifier-free guidance scale; 1: off")
    shift: Annotated[float, Field(gt=0)] = Field(5.0, description="shift of the noise levels")
    blocks: tuple[NonNegativeInt, ...] | None = Field(
        None,
        description="blocks, from 0, in which the edit sees the source; null: its authors' for replaced objects (27,"
        " 29, 31, 32 of 40; for added ones 6, 7, 8, 9, for removed ones 21, 26, 27, 29), at their share of the depth",
    )
    shared_steps: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="share of the steps to the edit, the first ones, in which it sees the source"
    )
