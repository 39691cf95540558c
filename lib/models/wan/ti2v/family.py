"""What planning must know of Wan2.2-TI2V-5B, without torch."""

from dataclasses import replace

from lib.models.wan import family as wan
from lib.models.wan.a14b.family import NO_IMAGE_CONTEXT

FAMILY = replace(
    wan.FAMILY,
    size_multiple=32,  # a token: two cells of 16 pixels
    cell_size=16,
    latent_channels=48,
    pipeline="WanPipeline",  # of the published folder; the image-to-video class runs it too
    other_pipelines=(wan.FAMILY.pipeline,),
    components=frozenset({"vae", "transformer", "tokenizer", "text_encoder"}),
    marks={"boundary_ratio": False, "expand_timesteps": True},
    original_layers=NO_IMAGE_CONTEXT,
    shares_context=False,
)
