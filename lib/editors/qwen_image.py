"""Qwen-Image-Edit, and its form that takes several pictures: "Qwen-Image Technical Report" (arXiv 2508.02324)."""

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image

from lib.config.editor_section import EditorSection
from lib.editors.base import to_picture
from lib.editors.sizes import edit_at_size
from lib.video.arrays import Picture

NUM_STEPS, GUIDANCE = 50, 4.0  # of diffusers' pipeline
MEGAPIXELS = 1.048576  # at which both pipelines show the model what it edits
MULTIPLE = 32  # of the sides at which they do, pixels
NO_WORDS = " "  # guidance needs a negative prompt; an empty one counts as none


class QwenImageEdit:
    """diffusers' QwenImageEditPipeline: one picture."""

    num_extra = 0

    def __init__(self, pipeline: Any, settings: EditorSection) -> None:
        self.pipeline, self.settings = pipeline, settings

    def edit(self, picture: Picture, instruction: str, seed: int, extra: Sequence[Picture] = ()) -> Picture:
        """Edit a picture, see `lib.editors.base.Editor`."""
        assert len(extra) <= self.num_extra, f"it takes {self.num_extra} pictures more, not {len(extra)}"
        others = [Image.fromarray(other) for other in extra]

        def repaint(shown: Picture) -> Picture:
            height, width, _ = shown.shape
            given = Image.fromarray(shown)
            made = self.pipeline(
                prompt=instruction,
                negative_prompt=NO_WORDS,
                image=[given, *others] if self.num_extra else given,
                height=height,  # the form for several pictures would else take the shape of the last one
                width=width,
                num_inference_steps=self.settings.num_steps or NUM_STEPS,
                true_cfg_scale=self.settings.guidance or GUIDANCE,
                generator=torch.Generator("cpu").manual_seed(seed),
                output_type="np",
            )
            return to_picture(made.images[0])

        return edit_at_size(picture, MULTIPLE, self.settings.megapixels or MEGAPIXELS, repaint)


class QwenImageEditPlus(QwenImageEdit):
    """diffusers' QwenImageEditPlusPipeline: further pictures are `Picture 2` and so on of the instruction."""

    num_extra = 2
