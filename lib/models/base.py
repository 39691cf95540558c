"""What the loops ask of a video model; everything that differs between models is behind it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from lib.models.experts import Experts

Conditioning = dict[str, torch.Tensor]
"""What one model needs beside the noisy latents; opaque to the loops, saved as safetensors."""


@dataclass(frozen=True)
class Sample:
    """What a training step is about.

    Attributes:
        latents: clean, (1, channels, latent frames, height, width).
        conditioning: what the model is shown with them.
    """

    latents: torch.Tensor
    conditioning: Conditioning


class VideoModel(Protocol):
    """An image-to-video diffusion model with a space-time mask.

    Members that belong to components which were not loaded fail with an AssertionError.
    """

    frame_stride: int
    """Frames per latent frame after the first; a video has frames % frame_stride == 1."""

    size_multiple: int
    """Width and height must be multiples of this, in pixels."""

    most_at_once: int | None
    """Samples of a training's batch; None: as many as memory holds."""

    device: torch.device
    """Where its weights are, and what it is given goes."""

    execution: dict[str, Any]
    """How the transformer is run, for the record: `mode`, and the fields of `lib.execution.block_runs.Execution`."""

    @property
    def experts(self) -> Experts:
        """Its denoisers, each for a range of noise levels; most models have one for all."""
        ...

    @property
    def transformer(self) -> nn.Module:
        """The frozen denoiser in use, which receives a LoRA by diffusers' PeftAdapterMixin."""
        ...

    def lora_target_modules(self, layers: Collection[str]) -> list[str]:
        """Return the suffixes of the linear layers to adapt.

        Args:
            layers: kinds, any of self_attention, cross_attention and feed_forward.
        """
        ...

    def latents_shape(self, num_frames: int, height: int, width: int) -> tuple[int, ...]:
        """Return (1, channels, latent frames, height, width) of the latents of a video, given in pixels."""
        ...

    def encode_video(self, video: torch.Tensor) -> torch.Tensor:
        """Encode a model video (1, 3, frames, height, width) to normalised latents, float32."""
        ...

    def decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """Decode normalised latents to a model video (1, 3, frames, height, width)."""
        ...

    def encode_prompt(self, prompt: str, first_frame: torch.Tensor | None = None) -> Conditioning:
        """Encode text: the part of a Conditioning that guidance replaces.

        Args:
            prompt: text.
            first_frame: model video (1, 3, 1, height, width), for models that read the text beside it; None: no
                picture, as in guidance's other pass.
        """
        ...

    def encode_conditioning(
        self, prompt: str, condition_video: torch.Tensor, keep_mask: torch.Tensor, first_frame: torch.Tensor
    ) -> Conditioning:
        """Encode all that the transformer is shown.

        Args:
            prompt: trigger word and caption.
            condition_video: model video (1, 3, frames, height, width). What stands in it where keep_mask is 0 is not
                shown: each family hides it as its pre-training did.
            keep_mask: (1, 1, frames, height, width), 1 = keep.
            first_frame: model video (1, 3, 1, height, width), for models with an image context.
        """
        ...

    def encode_condition_video(self, condition_video: torch.Tensor, keep_mask: torch.Tensor) -> Conditioning:
        """Encode the part of a Conditioning that differs between the windows of a clip; see `encode_conditioning`."""
        ...

    def select_frames(self, conditioning: Conditioning, positions: Sequence[int]) -> Conditioning:
        """Return the conditioning of some latent frames of a clip alone, which still tells where they stand in it."""
        ...

    def join(self, conditionings: Sequence[Conditioning]) -> Conditioning:
        """Return the conditioning of a batch, from that of each of its members; their latents have the same shape."""
        ...

    def regenerated_cells(self, conditioning: Conditioning) -> torch.Tensor:
        """Return (batch, 1, latent frames, height, width): 1 where the model is told to regenerate, 0 where to keep."""
        ...

    def learnt_cells(self, conditioning: Conditioning) -> torch.Tensor | None:
        """Return (batch, 1, latent frames, height, width): 1 where the velocity is the transformer's own; None: all.

        Elsewhere it leads to what is shown there, and is nothing to learn.
        """
        ...

    def start_latents(self, noise: torch.Tensor, conditioning: Conditioning) -> torch.Tensor:
        """Return what denoising starts from, given noise of the same shape; in most models the noise itself."""
        ...

    def begin_sampling(self, cache_threshold: float, guidance: float = 1.0) -> float:
        """Prepare for the denoising steps of one video.

        Args:
            cache_threshold: a step that changes the first block's share of the output by less than this, relative to
                the step before, takes what the other blocks added there; 0: all blocks are computed in every step.
            guidance: scale; some models are told it.

        Returns:
            The guidance that is left to a second pass in each step: 1, none, where the model was told.
        """
        ...

    def predict_velocity(
        self, noisy_latents: torch.Tensor, sigma: torch.Tensor, conditioning: Conditioning, guided: bool = True
    ) -> torch.Tensor:
        """Predict the velocity, float32, of noisy latents at sigma (batch,), by the expert in use.

        Args:
            conditioning: of batch 1, the same for all, or of the same batch.
            guided: whether this is the pass with the prompt, or guidance's other; each has a cache of its own.
        """
        ...
