"""The section of config.yaml on further scores."""

from typing import Literal

from pydantic import Field

from lib.config.sections import Section

ScoreName = Literal["deqa", "lpips", "dists", "text_alignment", "pick_score", "clip_iqa", "dino", "judge"]
BACKGROUND_SCORES = ("lpips", "dists")  # compare the edited video with its source outside the mask
SOURCE_SCORES = (*BACKGROUND_SCORES, "judge")  # are shown the source
PROMPT_SCORES = ("text_alignment", "pick_score")  # compare it with the edit's prompt


class ScoresSection(Section):
    """Further scores of edited videos, each measured where its weights are named; see docs/scores.md."""

    deqa: str | None = Field(
        None, description="folder of DeQA-Score's weights as safetensors: how good each frame looks, 1 to 5"
    )
    lpips: str | None = Field(
        None, description="safetensors file of LPIPS's weights: how different the background looks from the source's"
    )
    dists: str | None = Field(None, description="safetensors file of DISTS's weights: the same by another network")
    text_alignment: str | None = Field(
        None, description="local folder or hub id of a CLIP model: likeness of the frames and the edit's prompt"
    )
    pick_score: str | None = Field(
        None, description="local folder or hub id of PickScore's CLIP: how well people would like frames for the prompt"
    )
    clip_iqa: str | None = Field(
        None,
        description="local folder or hub id of a CLIP model: how much more a good photo than a bad one, 0 to 1",
    )
    dino: str | None = Field(
        None, description="local folder or hub id of a DINOv2 model: likeness of neighbouring frames"
    )
    judge: str | None = Field(
        None,
        description="local folder or hub id of a Qwen-VL model, which rates motion, background and edit, 1 to 5",
    )
