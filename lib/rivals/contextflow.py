"""ContextFlow: an edit without training, by the run's own image-to-video model.

Y. Chen et al., "ContextFlow: Training-Free Video Object Editing via Adaptive Context Enrichment" (arXiv 2509.17818).
The source's latents are walked back to noise under the source's first frame; from there one clip is rebuilt so and
another under the edited first frame, which in some blocks' self-attention also sees the rebuilt one. Written from the
paper and what its code does; there is no mask.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch

from lib.config.rival_sections import ContextFlowSection
from lib.diffusion.conditioning import make_keep_mask
from lib.diffusion.flow_matching import euler_step, shift_sigmas
from lib.models.base import Conditioning, VideoModel
from lib.video.arrays import DecodedVideo, Picture, to_decoded_video, to_model_video
from lib.video.windows import Windows

SMALLEST_SIGMA = 0.003 / 1.002  # where the walk begins and ends, before the shift
PAPER_BLOCKS, PAPER_DEPTH = (27, 29, 31, 32), 40  # those for replaced objects, of the 14B model's


class SharingModel(VideoModel, Protocol):
    """A video model whose clips can see each other."""

    @property
    def num_blocks(self) -> int:
        """Blocks of the transformer."""
        ...

    def share_context(self, blocks: Sequence[int]) -> None:
        """Let the clips of a batch also attend to the first one in these blocks; none: in no block."""
        ...


@dataclass(frozen=True)
class Contexts:
    """What the model is shown.

    Attributes:
        source: the source's first frame, and no words.
        edited: the edited first frame, and the edit's prompt.
        negative: what guidance replaces in `edited`.
    """

    source: Conditioning
    edited: Conditioning
    negative: Conditioning


def encode_contexts(
    model: VideoModel, source: DecodedVideo, first_frame: Picture, prompt: str, negative_prompt: str
) -> Contexts:
    """Encode what the model is shown of the first window.

    Args:
        model: with its VAE and encoders loaded.
        source: (frames, height, width, 3) uint8 RGB, of that window.
        first_frame: the edited one, (height, width, 3).
        prompt, negative_prompt: of the edited video.
    """

    def shown(picture: Picture, words: str) -> Conditioning:
        condition_video, keep_mask = _first_frame_alone(model, picture, len(source))
        return model.encode_conditioning(words, condition_video, keep_mask, condition_video[:, :, :1])

    return Contexts(shown(source[0], ""), shown(first_frame, prompt), model.encode_prompt(negative_prompt))


def edit_with_contextflow(
    model: SharingModel,
    source: DecodedVideo,
    first_frame: Picture,
    windows: Windows,
    contexts: Contexts,
    settings: ContextFlowSection,
    show: Callable[[int], None],
) -> DecodedVideo:
    """Edit a clip, window by window: a later one begins with a frame of the one before.

    Args:
        model: with its VAE and transformer loaded.
        source: (frames, height, width, 3) uint8 RGB.
        first_frame: the edited one, (height, width, 3).
        windows: of `lib.video.windows.plan_windows`.
        contexts: of the first window; later ones have its words and its image context.
        settings: how.
        show: is told each step, those back to noise too, counted over all windows.

    Returns:
        The edited video, of the source's shape.
    """
    sigmas = contextflow_sigmas(settings.num_steps, settings.shift).to(model.device)
    made = first_frame[np.newaxis]
    for number, (start, stop) in enumerate(windows):
        part, given = source[start:stop], made[start:]
        here = contexts if number == 0 else _go_on(model, contexts, part, given[0])
        done = 2 * settings.num_steps * number
        noise = invert(model, model.encode_video(to_model_video(part)), sigmas, here.source, show, done)
        latents = _edit(model, noise, sigmas, here, settings, show, done + settings.num_steps)
        video = to_decoded_video(model.decode_latents(latents))
        made = video if number == 0 else np.concatenate([made, video[len(given) :]])
    return made


def contextflow_sigmas(num_steps: int, shift: float) -> torch.Tensor:
    """Return num_steps + 1 falling sigmas from 1 to nearly 0."""
    return shift_sigmas(torch.linspace(1, SMALLEST_SIGMA, num_steps + 1, dtype=torch.float64), shift).float()


def chosen_blocks(blocks: Sequence[int] | None, depth: int) -> list[int]:
    """Return the blocks that see the source: those named, or the paper's for replaced objects, at their share of depth.

    Args:
        blocks: named by the user, from 0; None: the paper's.
        depth: blocks of the model.
    """
    if blocks is not None:
        return [block for block in blocks if block < depth]
    return sorted({block * depth // PAPER_DEPTH for block in PAPER_BLOCKS})


@torch.no_grad()
def invert(
    model: VideoModel,
    latents: torch.Tensor,
    sigmas: torch.Tensor,
    source: Conditioning,
    show: Callable[[int], None],
    done: int = 0,
) -> torch.Tensor:
    """Walk clean latents back to noise with midpoint steps.

    Args:
        model: with its transformer loaded.
        latents: of the source, (1, channels, latent frames, height, width).
        sigmas: falling, as `contextflow_sigmas` gives them.
        source: what the model is shown.
        show: is told each step, from `done` on.
        done: steps before these.
    """
    model.begin_sampling(0.0)

    def velocity(noisy: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return model.predict_velocity(noisy, sigma.view(1), source)

    for step, (sigma, larger) in enumerate(pairwise(sigmas.flip(0)), start=1):
        latents = midpoint_step(velocity, latents, sigma, larger)
        show(done + step)
    return latents


def midpoint_step(
    velocity: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    latents: torch.Tensor,
    sigma: torch.Tensor,
    next_sigma: torch.Tensor,
) -> torch.Tensor:
    """Move from one sigma to the next along the velocity that half the step leads to."""
    middle = (sigma + next_sigma) / 2
    halfway = euler_step(latents, velocity(latents, sigma), sigma, middle)
    return euler_step(latents, velocity(halfway, middle), sigma, next_sigma)


@torch.no_grad()
def _edit(
    model: SharingModel,
    noise: torch.Tensor,
    sigmas: torch.Tensor,
    contexts: Contexts,
    settings: ContextFlowSection,
    show: Callable[[int], None],
    done: int,
) -> torch.Tensor:
    """Walk from the source's noise to the edit; while the source is seen, it is rebuilt beside it."""
    shown = [contexts.source, contexts.edited]
    if settings.guidance > 1:
        shown.append({**contexts.edited, **contexts.negative})
    joint, alone = model.join(shown), model.join(shown[1:])
    sharing_steps = round(settings.shared_steps * settings.num_steps)
    latents = torch.cat([noise, noise])  # rebuilt, edited

    def guided(predicted: torch.Tensor) -> torch.Tensor:
        if settings.guidance <= 1:
            return predicted
        return predicted[1:] + settings.guidance * (predicted[:1] - predicted[1:])

    def both(noisy: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        rows = torch.cat([noisy[:1], noisy[1:].repeat(len(shown) - 1, 1, 1, 1, 1)])
        predicted = model.predict_velocity(rows, sigma.expand(len(rows)), joint)
        return torch.cat([predicted[:1], guided(predicted[1:])])

    def edited(noisy: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        rows = noisy.repeat(len(shown) - 1, 1, 1, 1, 1)
        return guided(model.predict_velocity(rows, sigma.expand(len(rows)), alone))

    model.begin_sampling(0.0)
    model.share_context(chosen_blocks(settings.blocks, model.num_blocks) if sharing_steps else [])
    for step, (sigma, smaller) in enumerate(pairwise(sigmas), start=1):
        if step <= sharing_steps:
            latents = midpoint_step(both, latents, sigma, smaller)
        else:
            model.share_context([])
            latents = midpoint_step(edited, latents[-1:], sigma, smaller)
        show(done + step)
    model.share_context([])
    return latents[-1:]


def _go_on(model: VideoModel, first: Contexts, part: DecodedVideo, given: Picture) -> Contexts:
    """Show a later window its first frames; words and image context stay those of the first window."""
    source = model.encode_condition_video(*_first_frame_alone(model, part[0], len(part)))
    edited = model.encode_condition_video(*_first_frame_alone(model, given, len(part)))
    return Contexts({**first.source, **source}, {**first.edited, **edited}, first.negative)


def _first_frame_alone(model: VideoModel, picture: Picture, num_frames: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the condition video and the keep mask of an ordinary image-to-video model."""
    shown = to_model_video(picture[np.newaxis])
    keep_mask = make_keep_mask("first_frame", np.zeros((num_frames, *picture.shape[:2]), np.bool_), model.frame_stride)
    return shown.expand(-1, -1, num_frames, -1, -1) * keep_mask, keep_mask
