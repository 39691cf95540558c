"""The transformer's forward pass on one sample: any latent frames, any tokens that are clean already.

Follows `forward` of diffusers/models/transformers/transformer_hunyuan_video.py over the model's own modules; tests hold
it against that. Three things differ. There is no mask, since one sample's text has no padding. Latent frames may stand
anywhere in a clip. And clean tokens, of which the model knows the first frame's alone, may be any: its blocks take the
first so many as clean, so these are put first, where their rotary embedding still says where they belong.
"""

from typing import Any

import torch
from diffusers.models.embeddings import get_1d_rotary_pos_embed

Rotation = tuple[torch.Tensor, torch.Tensor]
"""Cosines and sines, (tokens, head width) each."""


def predict(
    transformer: Any,
    shown: torch.Tensor,
    timestep: torch.Tensor,
    text: torch.Tensor,
    pooled: torch.Tensor,
    guidance: torch.Tensor | None,
    positions: torch.Tensor | None,
    clean: torch.Tensor | None,
) -> torch.Tensor:
    """Return the velocity (1, channels, latent frames, height, width) of one sample.

    Args:
        transformer: its blocks set up or not.
        shown: all that stands beside each other in a latent, (1, channels, latent frames, height, width).
        timestep: (1,), sigma in thousandths.
        text: (1, tokens, width), without padding.
        pooled: (1, width).
        guidance: (1,), in thousandths; None: the model has no such input.
        positions: place in the clip of each latent frame, (latent frames,) int64; None: side by side from the start.
        clean: which tokens are clean, (latent frames, rows, columns) bool; None: the model knows of none.
    """
    _, _, frames, height, width = shown.shape
    rows, columns = height // transformer.config.patch_size, width // transformer.config.patch_size
    rotation = transformer.rope(shown)
    if positions is not None:
        rotation = place_in_time(transformer.rope, rotation, positions)
    embedding, clean_embedding = transformer.time_text_embed(timestep, pooled, guidance)
    tokens = transformer.x_embedder(shown).contiguous()
    text = transformer.context_embedder(text, timestep, torch.ones(text.shape[:2], device=text.device))
    num_clean, order = 0, None
    if clean is not None:
        flat = clean.flatten()
        num_clean, order = int(flat.sum()), torch.argsort(flat.logical_not().int(), stable=True)
        tokens, rotation = tokens[:, order], (rotation[0][order], rotation[1][order])
    for block in (*transformer.transformer_blocks, *transformer.single_transformer_blocks):
        tokens, text = block(tokens, text, embedding, None, rotation, clean_embedding, num_clean)
        # Cut out of one tensor they stride over both; compiled blocks would take them for inputs of another kind.
        tokens, text = tokens.squeeze(0).unsqueeze(0), text.squeeze(0).unsqueeze(0)
    if order is not None:
        tokens = tokens[:, torch.argsort(order)]
    patches = transformer.proj_out(transformer.norm_out(tokens, embedding))
    size = transformer.config.patch_size
    patches = patches.unflatten(1, (frames, rows, columns)).unflatten(-1, (-1, size, size))  # (1, f, h, w, c, p, p)
    velocity: torch.Tensor = patches.permute(0, 4, 1, 2, 5, 3, 6).flatten(5, 6).flatten(3, 4)
    return velocity


def clean_tokens(cells: torch.Tensor, patch_size: int) -> torch.Tensor:
    """Tell which tokens are clean: those of which all latent cells are.

    Args:
        cells: (1, 1, latent frames, height, width), 1 = clean.
        patch_size: cells of a token, in both directions.

    Returns:
        (latent frames, height / patch_size, width / patch_size) bool.
    """
    _, _, frames, height, width = cells.shape
    blocks = cells.view(frames, height // patch_size, patch_size, width // patch_size, patch_size)
    return blocks.amin(dim=(2, 4)) > 0


def place_in_time(rope: Any, rotation: Rotation, positions: torch.Tensor) -> Rotation:
    """Replace the channels that tell time, which come first, by those of other latent frames.

    Args:
        rope: the transformer's.
        rotation: of latent frames that stand side by side from the start.
        positions: place in the clip of each latent frame, (latent frames,) int64.
    """
    per_frame = len(rotation[0]) // len(positions)
    times = positions.to(rotation[0].device, torch.float32).repeat_interleave(per_frame)
    in_time = get_1d_rotary_pos_embed(rope.rope_dim[0], times, rope.theta, use_real=True)
    cosines, sines = (
        torch.cat([own, side[:, own.shape[1] :]], dim=1) for own, side in zip(in_time, rotation, strict=True)
    )
    return cosines, sines
