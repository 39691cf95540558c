"""The sections of config.yaml on models of others, which methods compare ours with."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

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
