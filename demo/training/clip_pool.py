"""Encode a pool of rendered clips: latents, and all that Wan's transformer is shown with them.

The condition is that of an ordinary first-frame model: frame 0, grey after it, and a mask that keeps frame 0 only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from transformers import AutoImageProcessor, AutoTokenizer, CLIPVisionModel

from demo.training.frame_pool import normalise_frames, squash_frames
from demo.training.whole_clip_vae import encode_whole
from demo.world.captions import caption
from demo.world.rendering import Packed, render_packed
from demo.world.scenes import Scene
from lib.diffusion.conditioning import make_keep_mask
from lib.models.wan.mask_channels import pack_keep_mask

TRIGGER = "p3rs0n, "
FRAME_STRIDE, CELL_SIZE = 4, 8
NUM_TEXT_TOKENS = 96  # of a stored prompt; the longest caption has fewer
CLIPS_AT_ONCE = 128


@dataclass(frozen=True)
class ClipPool:
    """Clips of one size, encoded; all on one device, floats in bfloat16 on a GPU.

    Attributes:
        latents, condition_latents: (clips, 16, latent frames, height, width), normalised.
        image_embeds: (clips, image tokens, image width).
        prompt_tokens: (clips, prompts, NUM_TEXT_TOKENS) int16, the prompts of `scene_prompts`, padded with 0.
        empty_prompt: (NUM_TEXT_TOKENS,) ids of "", what guidance compares with.
        packed_mask: (1, 4, latent frames, height, width), the same for all.
    """

    latents: torch.Tensor
    condition_latents: torch.Tensor
    image_embeds: torch.Tensor
    prompt_tokens: torch.Tensor
    empty_prompt: torch.Tensor
    packed_mask: torch.Tensor

    def put(self, first: int, fresh: "ClipPool") -> None:
        """Put clips in the place of others, from number `first` on; tensors stay where they are in memory."""
        for name in ("latents", "condition_latents", "image_embeds", "prompt_tokens"):
            old, new = (getattr(pool, name) for pool in (self, fresh))
            old[first : first + len(new)].copy_(new[: len(old) - first])


def scene_prompts(scene: Scene) -> list[str]:
    """List a scene's prompts: with and without its motion, each with and without the trigger word."""
    captions = [caption(scene), f"{caption(scene, with_motion=False)}."]  # the second is the captioner's form
    return captions + [TRIGGER + text for text in captions]


class ClipEncoder:
    """Renders scenes and encodes them with the VAE and the image encoder of a Wan folder."""

    def __init__(self, folder: Path, num_frames: int, device: str) -> None:
        self.folder, self.num_frames, self.device = folder, num_frames, device
        self.vae = AutoencoderKLWan.from_pretrained(folder, subfolder="vae", dtype=torch.float32).to(device)
        encoder = CLIPVisionModel.from_pretrained(folder, subfolder="image_encoder", dtype=torch.float32)
        self.image_encoder = encoder.to(device)
        self.processor = AutoImageProcessor.from_pretrained(folder, subfolder="image_processor")

    @torch.no_grad()
    def encode(self, scenes: Sequence[Scene], packed: Packed) -> ClipPool:
        """Encode scenes of one size."""
        dtype = torch.bfloat16 if self.device == "cuda" else torch.float32
        latents, condition_latents, image_embeds = [], [], []
        for first in range(0, len(scenes), CLIPS_AT_ONCE):
            rows = {key: tensor[first : first + CLIPS_AT_ONCE] for key, tensor in packed.items()}
            pixels = render_packed(rows, self.num_frames, self.device)
            video = pixels.float() / 127.5 - 1
            condition_video = torch.cat([video[:, :, :1], torch.zeros_like(video[:, :, 1:])], dim=2)
            latents.append(encode_normalised(self.vae, video).to(dtype))
            condition_latents.append(encode_normalised(self.vae, condition_video).to(dtype))
            frames = squash_frames(pixels[:, :, 0], self.processor.size["height"])
            inputs = normalise_frames(frames, self.processor)
            image_embeds.append(self.image_encoder(inputs, output_hidden_states=True).hidden_states[-2].to(dtype))
        _, height, width = pixels.shape[2:]
        no_edit = np.zeros((self.num_frames, height, width), np.bool_)
        keep_mask = make_keep_mask("first_frame", no_edit, FRAME_STRIDE)
        return ClipPool(
            latents=torch.cat(latents),
            condition_latents=torch.cat(condition_latents),
            image_embeds=torch.cat(image_embeds),
            prompt_tokens=tokenize_prompts(self.folder, [scene_prompts(scene) for scene in scenes]).to(self.device),
            empty_prompt=tokenize_prompts(self.folder, [[""]])[0, 0].to(self.device, torch.int64),
            packed_mask=pack_keep_mask(keep_mask, CELL_SIZE, FRAME_STRIDE).to(self.device, dtype),
        )


def encode_normalised(vae: AutoencoderKLWan, video: torch.Tensor) -> torch.Tensor:
    """Encode a model video (batch, 3, frames, height, width) to the mode, by channel at mean 0 and deviation 1."""
    with torch.autocast(video.device.type, torch.bfloat16, enabled=video.is_cuda):
        latents = encode_whole(vae, video).float().chunk(2, dim=1)[0]
    mean, std = (
        torch.tensor(values, device=video.device).view(1, -1, 1, 1, 1)
        for values in (vae.config.latents_mean, vae.config.latents_std)
    )
    return (latents - mean) / std


def tokenize_prompts(folder: Path, prompts: Sequence[Sequence[str]]) -> torch.Tensor:
    """Turn each clip's prompts into token ids, (clips, prompts of each, NUM_TEXT_TOKENS) int16, padded with 0."""
    tokenizer = AutoTokenizer.from_pretrained(folder, subfolder="tokenizer")
    texts = [text for clip in prompts for text in clip]
    tokens = tokenizer(texts, padding="max_length", max_length=NUM_TEXT_TOKENS, return_tensors="pt").input_ids
    assert tokens.shape[1] == NUM_TEXT_TOKENS, "a prompt is longer than NUM_TEXT_TOKENS"
    return tokens.to(torch.int16).unflatten(0, (len(prompts), -1))
