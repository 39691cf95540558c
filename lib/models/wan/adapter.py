"""Wan2.1 image-to-video: encoders, CLIP image context, and the 4-channel packing of the keep mask.

Follows diffusers' pipelines/wan/pipeline_wan_i2v.py; tests hold it against that pipeline.
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from diffusers import FirstBlockCacheConfig, WanTransformer3DModel
from diffusers.pipelines.wan.pipeline_wan_i2v import prompt_clean
from diffusers.video_processor import VideoProcessor
from torch import nn

from lib.config.sections import MemoryMode
from lib.execution.devices import free_memory
from lib.execution.memory_modes import MemoryUse, tile_vae
from lib.models.base import Conditioning
from lib.models.latent_cells import reduce_to_cells
from lib.models.wan.family import FAMILY, LORA_LAYERS
from lib.models.wan.loading import load_encoders, load_transformer, load_vae
from lib.models.wan.memory import VAE_BYTES
from lib.models.wan.rotary import PlacedRotaryEmbedding

MAX_PROMPT_TOKENS = 512
FRAME_POSITIONS = "frame_positions"  # in a Conditioning: where in the clip its latent frames stand
NUM_TIMESTEPS = 1000  # the transformer is told sigma in thousandths


class WanModel:
    """The Wan2.1 image-to-video adapter; see lib.models.base.VideoModel for its members."""

    frame_stride = FAMILY.frame_stride
    size_multiple = FAMILY.size_multiple
    most_at_once: int | None = None

    def __init__(
        self,
        device: torch.device,
        components: dict[str, Any],
        memory: MemoryMode = "fast",
        execution: dict[str, Any] | None = None,
    ) -> None:
        self.device = device
        self.execution = execution or {}
        self._components = components
        self._memory = memory

    @property
    def transformer(self) -> nn.Module:
        """The denoiser, a WanTransformer3DModel."""
        module = self._component("transformer")
        assert isinstance(module, nn.Module)
        return module

    def lora_target_modules(self, layers: Collection[str]) -> list[str]:
        """Return the linear layers of each kind; of cross-attention all but the image's keys and values."""
        return [suffix for kind, suffixes in LORA_LAYERS.items() if kind in layers for suffix in suffixes]

    def latents_shape(self, num_frames: int, height: int, width: int) -> tuple[int, ...]:
        """Return the shape that `encode_video` gives."""
        return FAMILY.latents_shape(num_frames, height, width)

    @torch.no_grad()
    def encode_video(self, video: torch.Tensor) -> torch.Tensor:
        """Encode with the VAE's mode, not a sample: (1, 3, F, H, W) -> (1, 16, 1 + (F - 1) / 4, H / 8, W / 8)."""
        batch, channels, frames, height, width = video.shape
        assert channels == 3 and frames % self.frame_stride == 1
        vae = self._vae(width, height)
        latents: torch.Tensor = vae.encode(video.to(self.device, vae.dtype)).latent_dist.mode().float()
        mean, std = self._latent_statistics(vae)
        return (latents - mean) * (1.0 / std)

    @torch.no_grad()
    def decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """Decode with the VAE: (1, 16, f, h, w) -> (1, 3, 1 + 4 (f - 1), 8 h, 8 w)."""
        cell_size = self._cell_size()
        vae = self._vae(latents.shape[-1] * cell_size, latents.shape[-2] * cell_size)
        mean, std = self._latent_statistics(vae)
        latents = latents.to(self.device, vae.dtype) / (1.0 / std) + mean
        video: torch.Tensor = vae.decode(latents, return_dict=False)[0].float()
        return video

    @torch.no_grad()
    def encode_prompt(self, prompt: str, first_frame: torch.Tensor | None = None) -> Conditioning:  # noqa: ARG002
        """Encode text with UMT5; positions after its end are zero, as in pre-training."""
        tokenizer = self._component("tokenizer")
        tokens = tokenizer(
            [prompt_clean(prompt)],
            padding="max_length",
            max_length=min(MAX_PROMPT_TOKENS, tokenizer.model_max_length),
            truncation=True,
            return_attention_mask=True,
            return_tensors="pt",
        ).to(self.device)
        states = self._component("text_encoder")(tokens.input_ids, tokens.attention_mask).last_hidden_state
        is_text = tokens.attention_mask.gt(0).unsqueeze(-1)
        return {"prompt_embeds": states * is_text}

    @torch.no_grad()
    def encode_conditioning(
        self, prompt: str, condition_video: torch.Tensor, keep_mask: torch.Tensor, first_frame: torch.Tensor
    ) -> Conditioning:
        """Encode the prompt, the image context, the packed mask and the condition video."""
        return {
            **self.encode_prompt(prompt),
            "image_embeds": self._encode_image(first_frame),
            **self.encode_condition_video(condition_video, keep_mask),
        }

    @torch.no_grad()
    def encode_condition_video(self, condition_video: torch.Tensor, keep_mask: torch.Tensor) -> Conditioning:
        """Pack the mask and encode the condition video."""
        assert bool((condition_video * (1 - keep_mask) == 0).all()), "condition_video must be 0 where keep_mask is"
        return {
            "packed_mask": pack_keep_mask(keep_mask, self._cell_size(), self.frame_stride).to(self.device),
            "condition_latents": self.encode_video(condition_video),
        }

    def select_frames(self, conditioning: Conditioning, positions: Sequence[int]) -> Conditioning:
        """Select along time, and keep the positions for the rotary embedding."""
        chosen = torch.tensor(positions, device=conditioning["packed_mask"].device)
        in_time = {name: conditioning[name].index_select(2, chosen) for name in ("packed_mask", "condition_latents")}
        return {**conditioning, **in_time, FRAME_POSITIONS: chosen}

    def join(self, conditionings: Sequence[Conditioning]) -> Conditioning:
        """Stack positions, which have no batch, and join all else along it."""
        assert all(each.keys() == conditionings[0].keys() for each in conditionings), "all placed in time, or none"
        return {
            name: (torch.stack if name == FRAME_POSITIONS else torch.cat)([each[name] for each in conditionings])
            for name in conditionings[0]
        }

    def regenerated_cells(self, conditioning: Conditioning) -> torch.Tensor:
        """Read the packed mask: a cell is regenerated if it is in any of the frames that share it."""
        return 1 - conditioning["packed_mask"].amin(dim=1, keepdim=True)

    def learnt_cells(self, conditioning: Conditioning) -> torch.Tensor | None:  # noqa: ARG002
        """Return None: all are."""
        return None

    def start_latents(self, noise: torch.Tensor, conditioning: Conditioning) -> torch.Tensor:  # noqa: ARG002
        """Return the noise."""
        return noise

    def begin_sampling(self, cache_threshold: float, guidance: float = 1.0) -> float:
        """Switch diffusers' First Block Cache on or off, empty."""
        transformer = self.transformer
        assert isinstance(transformer, WanTransformer3DModel)
        if transformer.is_cache_enabled:
            transformer.disable_cache()
        if cache_threshold:
            transformer.enable_cache(FirstBlockCacheConfig(cache_threshold))
        return guidance

    def predict_velocity(
        self, noisy_latents: torch.Tensor, sigma: torch.Tensor, conditioning: Conditioning, guided: bool = True
    ) -> torch.Tensor:
        """Run the transformer on channels noisy 16, mask 4, condition latents 16."""
        batch = len(noisy_latents)
        dtype = conditioning["prompt_embeds"].dtype
        rope = self.transformer.rope
        assert isinstance(rope, PlacedRotaryEmbedding)
        rope.positions = conditioning.get(FRAME_POSITIONS)
        shown = [_repeated(conditioning[name], batch) for name in ("packed_mask", "condition_latents")]
        with self._cached_pass("guided" if guided else "unguided"):
            velocity: torch.Tensor = self.transformer(
                hidden_states=torch.cat([noisy_latents, *shown], dim=1).to(dtype),
                timestep=sigma * NUM_TIMESTEPS,
                encoder_hidden_states=_repeated(conditioning["prompt_embeds"], batch),
                encoder_hidden_states_image=_repeated(conditioning["image_embeds"].to(dtype), batch),
                return_dict=False,
            )[0]
        return velocity.float()

    def _cached_pass(self, name: str) -> AbstractContextManager[None]:
        transformer = self.transformer
        assert isinstance(transformer, WanTransformer3DModel)
        cached: AbstractContextManager[None] = transformer.cache_context(name)
        return cached if transformer.is_cache_enabled else nullcontext()

    def _encode_image(self, first_frame: torch.Tensor) -> torch.Tensor:
        """Encode frame 0 with CLIP: the last but one hidden states (1, patches + 1, width)."""
        _, _, frames, height, width = first_frame.shape
        assert frames == 1
        image = VideoProcessor().postprocess(first_frame[:, :, 0].cpu(), output_type="pil")
        pixels = self._component("image_processor")(images=image, return_tensors="pt").pixel_values
        encoder = self._component("image_encoder")
        states: torch.Tensor = encoder(pixels.to(self.device), output_hidden_states=True).hidden_states[-2]
        return states

    def _latent_statistics(self, vae: Any) -> tuple[torch.Tensor, torch.Tensor]:
        shape = (1, vae.config.z_dim, 1, 1, 1)
        mean = torch.tensor(vae.config.latents_mean, device=self.device).view(shape)
        return mean, torch.tensor(vae.config.latents_std, device=self.device).view(shape)

    def _vae(self, width: int, height: int) -> Any:
        """Return the VAE, set up for frames of this size."""
        vae = self._component("vae")
        if tile_vae(self._memory, VAE_BYTES * width * height, free_memory(self.device)):
            print(f"the VAE works tile by tile: {width}x{height} pixels at once do not fit")
            vae.enable_tiling()
        else:
            vae.disable_tiling()
        return vae

    def _cell_size(self) -> int:
        return int(self._component("vae").config.scale_factor_spatial)

    def _component(self, name: str) -> Any:
        assert name in self._components, f"{name} was not loaded; this stage asked for {sorted(self._components)}"
        return self._components[name]


def _repeated(tensor: torch.Tensor, batch: int) -> torch.Tensor:
    """See a tensor of batch 1 as a larger batch; one of that batch as it is."""
    return tensor.expand(batch, *tensor.shape[1:])


def pack_keep_mask(keep_mask: torch.Tensor, cell_size: int, frame_stride: int) -> torch.Tensor:
    """Pack a keep_mask as Wan reads it: latent resolution, frame 0 repeated, frames folded to channels.

    Args:
        keep_mask: (batch, 1, frames, height, width), frames % frame_stride == 1.
        cell_size: pixels per latent cell.
        frame_stride: frames per latent frame.

    Returns:
        (batch, frame_stride, latent frames, height / cell_size, width / cell_size).
    """
    cells = reduce_to_cells(keep_mask, cell_size)
    batch, _, _, height, width = cells.shape
    repeated = torch.cat([cells[:, :, :1].repeat_interleave(frame_stride, dim=2), cells[:, :, 1:]], dim=2)
    return repeated.view(batch, -1, frame_stride, height, width).transpose(1, 2).contiguous()


def load(
    name: str,
    components: Collection[str],
    *,
    device: torch.device,
    dtype: torch.dtype,
    memory: MemoryUse,
    download: bool,
) -> WanModel:
    """Load components of a WanImageToVideoPipeline folder or hub id; safetensors only, never remote code."""
    loaded: dict[str, Any] = {}
    execution: dict[str, Any] = {}
    if "vae" in components:
        loaded["vae"] = load_vae(name, device, download)
    if "encoders" in components:
        loaded |= load_encoders(name, device, dtype, memory, download)
    if "transformer" in components:
        loaded["transformer"], execution = load_transformer(name, device, dtype, memory, download)
    return WanModel(device, loaded, memory.mode, execution)
