"""InstructPix2Pix: T. Brooks et al., "InstructPix2Pix: Learning to Follow Image Editing Instructions" (CVPR 2023)."""

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image

from lib.config.editor_section import EditorSection
from lib.editors.base import to_picture
from lib.editors.sizes import edit_at_size
from lib.video.arrays import Picture

NUM_STEPS, GUIDANCE = 100, 7.5  # of its paper, section 4


class InstructPix2Pix:
    """diffusers' StableDiffusionInstructPix2PixPipeline; it follows the size of the picture."""

    num_extra = 0

    def __init__(self, pipeline: Any, settings: EditorSection) -> None:
        self.pipeline, self.settings = pipeline, settings

    def edit(self, picture: Picture, instruction: str, seed: int, extra: Sequence[Picture] = ()) -> Picture:
        """Edit a picture, see `lib.editors.base.Editor`; what a safety checker refuses stays as it is."""
        assert not extra, "it takes one picture"

        def repaint(shown: Picture) -> Picture:
            made = self.pipeline(
                prompt=instruction,
                image=Image.fromarray(shown),
                num_inference_steps=self.settings.num_steps or NUM_STEPS,
                guidance_scale=self.settings.guidance or GUIDANCE,
                image_guidance_scale=self.settings.image_guidance,
                generator=torch.Generator("cpu").manual_seed(seed),
                output_type="np",
            )
            if any(made.nsfw_content_detected or ()):
                print(f"seed {seed}: the model's safety checker refuses the picture it made")
                return shown
            return to_picture(made.images[0])

        return edit_at_size(picture, self.pipeline.vae_scale_factor, self.settings.megapixels, repaint)
