"""From an edit's encoded inputs and a LoRA to the edited video, window by window."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from lib.core.progress import Progress
from lib.diffusion.conditioning import kept_latents, make_keep_mask, put_first
from lib.diffusion.denoising import Lock, denoise, draw_noise
from lib.diffusion.encoding import Encoded
from lib.diffusion.flow_matching import sigma_schedule
from lib.masks.compositing import composite_video
from lib.models.base import Conditioning, VideoModel
from lib.video.arrays import DecodedVideo, to_decoded_video, to_model_video
from lib.video.windows import Windows


@dataclass(frozen=True)
class Sampling:
    """How an edit is generated.

    Attributes:
        num_steps, shift: see `lib.diffusion.flow_matching.sigma_schedule`.
        guidance: classifier-free guidance scale; 1: off.
        seed: of the initial noise; each later window takes the next one.
        lock_latents: put the source's latents back outside the mask at each step.
        composite: put the source's pixels back outside the mask after decoding.
        feather: softness of the composite's edge, pixels at 480p.
        cache_threshold: see `lib.models.base.VideoModel.begin_sampling`; 0: every step is computed whole.
    """

    num_steps: int
    guidance: float
    shift: float
    seed: int
    lock_latents: bool
    composite: bool
    feather: float
    cache_threshold: float = 0.0


@dataclass(frozen=True)
class EditedClip:
    """The pixels of an edit.

    Attributes:
        source_video: (frames, height, width, 3) uint8 RGB.
        first_frame: the edited one, (height, width, 3).
        edit_mask: (frames, height, width), True = edit.
        mask_kind: that the model is given, see `lib.diffusion.conditioning.make_keep_mask`.
    """

    source_video: DecodedVideo
    first_frame: NDArray[np.uint8]
    edit_mask: NDArray[np.bool_]
    mask_kind: str


def generate_video(
    model: VideoModel, encoded: Encoded, clip: EditedClip, windows: Windows, sampling: Sampling
) -> DecodedVideo:
    """Generate the edited video (frames, height, width, 3) uint8 RGB.

    A window after the first is given the last frames of the one before, whole, where the first window is given the
    edited frame 0; it brings the motion with it, which a single frame could not.

    Args:
        model: with its VAE and transformer loaded, and the LoRA if any.
        encoded: what `lib.diffusion.encoding.encode_edit` made, of the first window.
        clip: its pixels.
        windows: of `lib.video.windows.plan_windows`, which cover the clip.
        sampling: settings.
    """
    made = clip.first_frame[np.newaxis]
    for number, (start, stop) in enumerate(windows):
        given = made[start:]
        part = EditedClip(clip.source_video[start:stop], given[0], clip.edit_mask[start:stop], clip.mask_kind)
        conditioning = encoded["generation"] if number == 0 else _go_on(model, encoded["generation"], part, given)
        lock = _lock(model, part, given) if sampling.lock_latents else None
        shape = model.latents_shape(*part.source_video.shape[:3])
        noise = draw_noise(shape, sampling.seed + number, model.device)
        title = "denoising step" if len(windows) == 1 else f"window {number + 1} of {len(windows)}, denoising step"
        show = Progress(title, sampling.num_steps).show
        sigmas = sigma_schedule(sampling.num_steps, sampling.shift)
        guidance = model.begin_sampling(sampling.cache_threshold, sampling.guidance)
        guided = (conditioning, encoded["negative"], guidance)
        latents = denoise(model, noise, sigmas, *guided, show, lock)
        video = to_decoded_video(model.decode_latents(latents))
        if sampling.composite:
            video = composite_video(video, part.source_video, part.edit_mask, sampling.feather)
        made = video if number == 0 else np.concatenate([made, video[len(given) :]])
    return made


def _go_on(model: VideoModel, first: Conditioning, part: EditedClip, given: DecodedVideo) -> Conditioning:
    """Condition a later window on frames made before; prompt and image context stay those of the first window."""
    keep_mask = _keep_mask(model, part, len(given), part.mask_kind)
    condition_video = put_first(to_model_video(given), to_model_video(part.source_video))
    return {**first, **model.encode_condition_video(condition_video, keep_mask)}


def _lock(model: VideoModel, part: EditedClip, given: DecodedVideo) -> Lock:
    """Encode what a window must show outside the mask: the given frames, then the source."""
    latents = model.encode_video(put_first(to_model_video(given), to_model_video(part.source_video)))
    keep_mask = _keep_mask(model, part, len(given), "edit")
    cell_size = keep_mask.shape[-1] // latents.shape[-1]
    return Lock(latents, kept_latents(keep_mask, cell_size, model.frame_stride).to(latents.device))


def _keep_mask(model: VideoModel, part: EditedClip, num_given: int, kind: str) -> torch.Tensor:
    keep_mask = make_keep_mask(kind, part.edit_mask, model.frame_stride)
    if kind != "all_zeros":
        keep_mask[:, :, :num_given] = 1
    return keep_mask
