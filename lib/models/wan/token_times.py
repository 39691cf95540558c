"""Told by time steps: a token to keep is clean, at t = 0, as Wan2.2-TI2V-5B was pre-trained for frame 0.

Follows `expand_timesteps` of diffusers' pipelines/wan/pipeline_wan_i2v.py. The method widens it from the tokens of
frame 0 to any: the transformer has a time for each. A token is the least that can be kept.
"""

from collections.abc import Callable

import torch

from lib.models.base import Conditioning
from lib.models.latent_cells import reduce_to_latents
from lib.models.wan.keeping import Keeping, repeated

SMALLEST_SIGMA = 1e-4  # far below that of any step; a training may draw 0
TOKEN_CELLS = 2  # of a token in height and width: the transformer's patch_size


def _encode(
    encode_video: Callable[[torch.Tensor], torch.Tensor],
    condition_video: torch.Tensor,
    keep_mask: torch.Tensor,
    cell_size: int,
    frame_stride: int,
) -> Conditioning:
    """Encode the whole video, of which only what is kept is shown.

    Mid-grey in place of the rest, as in the other way, would spread into the latents around it: there it is part of
    what the model learnt to read, here each latent that is kept must be one of a true video.
    """
    tokens = reduce_to_latents(keep_mask, TOKEN_CELLS * cell_size, frame_stride)
    cells = tokens.repeat_interleave(TOKEN_CELLS, dim=3).repeat_interleave(TOKEN_CELLS, dim=4)
    latents = encode_video(condition_video)
    cells = cells.to(latents.device)
    return {"token_cells": cells, "token_latents": latents * cells}


def _regenerated_cells(conditioning: Conditioning) -> torch.Tensor:
    return 1 - conditioning["token_cells"]


def _show(
    noisy_latents: torch.Tensor, sigma: torch.Tensor, conditioning: Conditioning
) -> tuple[torch.Tensor, torch.Tensor]:
    cells, latents = (repeated(conditioning[name], len(noisy_latents)) for name in ("token_cells", "token_latents"))
    hidden = 1 - cells[:, 0, :, ::TOKEN_CELLS, ::TOKEN_CELLS]  # (batch, latent frames, rows, columns) of tokens
    return torch.where(cells > 0, latents, noisy_latents), hidden.flatten(1) * sigma.view(-1, 1)


def _answer(
    said: torch.Tensor, noisy_latents: torch.Tensor, sigma: torch.Tensor, conditioning: Conditioning
) -> torch.Tensor:
    """Let the velocity of what is kept lead to what is shown there, from wherever the noisy latents are.

    What the transformer says of clean tokens means nothing; the pipeline puts them back after the last step instead.
    """
    cells, latents = (repeated(conditioning[name], len(noisy_latents)) for name in ("token_cells", "token_latents"))
    to_shown = (noisy_latents - latents) / sigma.clamp(min=SMALLEST_SIGMA).view(-1, 1, 1, 1, 1)
    return torch.where(cells > 0, to_shown, said)


TOKEN_TIMES = Keeping(
    in_time=("token_cells", "token_latents"),
    encode=_encode,
    regenerated_cells=_regenerated_cells,
    learnt_cells=_regenerated_cells,
    show=_show,
    answer=_answer,
)
