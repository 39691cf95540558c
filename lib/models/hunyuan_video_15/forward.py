"""The transformer's forward pass on one sample, of any latent frames, without a mask for its attention.

Follows `forward` of diffusers/models/transformers/transformer_hunyuan_video15.py over the model's own modules; tests
hold it against that. One sample's texts have no padding, so that nothing has to be sorted or masked; and sigma keeps
its float32, where the pipeline rounds it to the transformer's type.
"""

from typing import Any

import torch

from lib.models.hunyuan_video.forward import place_in_time

QWEN, BYT5, PICTURE = 0, 1, 2  # what the model calls the kinds of what it reads


def predict(
    transformer: Any,
    shown: torch.Tensor,
    timestep: torch.Tensor,
    text: torch.Tensor,
    glyphs: torch.Tensor,
    picture: torch.Tensor,
    positions: torch.Tensor | None,
) -> torch.Tensor:
    """Return the velocity (1, channels, latent frames, height, width) of one sample.

    Args:
        transformer: its blocks set up or not, their attention without a mask.
        shown: noisy latents, condition latents and mask, (1, channels, latent frames, height, width).
        timestep: (1,), sigma in thousandths, float32.
        text: of the language model, (1, tokens, width), without padding.
        glyphs: of the letters that the prompt quotes, (1, tokens, width), without padding; there may be none.
        picture: of the first frame, (1, tokens, width).
        positions: place in the clip of each latent frame, (latent frames,) int64; None: side by side from the start.
    """
    _, _, frames, height, width = shown.shape
    size = transformer.config.patch_size
    rotation = transformer.rope(shown)
    if positions is not None:
        rotation = place_in_time(transformer.rope, rotation, positions)
    time = transformer.time_embed
    embedding = time.timestep_embedder(time.time_proj(timestep).to(shown.dtype))
    tokens = transformer.x_embedder(shown).contiguous()
    read = transformer.context_embedder(text, timestep, torch.ones(text.shape[:2], device=text.device))
    parts = [
        transformer.image_embedder(picture) + _kind(transformer, PICTURE, picture),
        transformer.context_embedder_2(glyphs) + _kind(transformer, BYT5, glyphs),
        read + _kind(transformer, QWEN, text),
    ]
    words = torch.cat(parts, dim=1)
    for block in transformer.transformer_blocks:
        tokens, words = block(tokens, words, embedding, None, rotation)
    patches = transformer.proj_out(transformer.norm_out(tokens, embedding))
    patches = patches.unflatten(1, (frames, height // size, width // size)).unflatten(-1, (-1, size, size))
    velocity: torch.Tensor = patches.permute(0, 4, 1, 2, 5, 3, 6).flatten(5, 6).flatten(3, 4)
    return velocity


def _kind(transformer: Any, kind: int, states: torch.Tensor) -> torch.Tensor:
    """Return what marks tokens as of a kind, (1, tokens, width)."""
    kinds = torch.full(states.shape[:2], kind, device=states.device)
    embedded: torch.Tensor = transformer.cond_type_embed(kinds)
    return embedded
