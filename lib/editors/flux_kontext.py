"""FLUX.1 Kontext: Black Forest Labs, "FLUX.1 Kontext: Flow Matching for In-Context Image Generation and Editing"."""

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image

from lib.config.editor_section import EditorSection
from lib.editors.base import to_picture
from lib.editors.sizes import edit_at_size
from lib.video.arrays import Picture

NUM_STEPS, GUIDANCE = 28, 3.5  # of diffusers' pipeline
MEGAPIXELS = 1.048576  # that it was trained at


class FluxKontext:
    """diffusers' FluxKontextPipeline, shown the picture at the size that it makes: else parts of it would move."""

    num_extra = 0

    def __init__(self, pipeline: Any, settings: EditorSection) -> None:
        self.pipeline, self.settings = pipeline, settings

    def edit(self, picture: Picture, instruction: str, seed: int, extra: Sequence[Picture] = ()) -> Picture:
        """Edit a picture, see `lib.editors.base.Editor`."""
        assert not extra, "it takes one picture"

        def repaint(shown: Picture) -> Picture:
            height, width, _ = shown.shape
            made = self.pipeline(
                prompt=instruction,
                image=Image.fromarray(shown),
                height=height,
                width=width,
                max_area=height * width,  # else the pipeline makes a picture of about a megapixel
                _auto_resize=False,
                num_inference_steps=self.settings.num_steps or NUM_STEPS,
                guidance_scale=self.settings.guidance or GUIDANCE,
                generator=torch.Generator("cpu").manual_seed(seed),
                output_type="np",
            )
            return to_picture(made.images[0])

        multiple = 2 * self.pipeline.vae_scale_factor  # two by two latents are one token
        return edit_at_size(picture, multiple, self.settings.megapixels or MEGAPIXELS, repaint)
