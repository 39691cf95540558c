"""Wan image-to-video, Wan2.1 and its relatives: encoders, image context, experts, and two ways to tell what to keep.

Follows diffusers' pipelines/wan/pipeline_wan_i2v.py; tests hold it against that pipeline.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import FirstBlockCacheConfig, WanTransformer3DModel
from diffusers.pipelines.wan.pipeline_wan_i2v import prompt_clean
from diffusers.video_processor import VideoProcessor
from torch import nn

from lib.config.families import Family
from lib.config.sections import MemoryMode
from lib.execution.devices import free_memory
from lib.execution.memory_modes import Costs, MemoryUse, tile_vae
from lib.models.base import Conditioning
from lib.models.experts import SOLE, THOUSANDTHS, Expert, Experts
from lib.models.wan.family import FAMILY, LORA_LAYERS
from lib.models.wan.keeping import Keeping, repeated
from lib.models.wan.loading import load_encoders, load_experts, load_vae
from lib.models.wan.mask_channels import MASK_CHANNELS
from lib.models.wan.memory import COSTS, VAE_BYTES
from lib.models.wan.rotary import PlacedRotaryEmbedding
from lib.models.wan.sharing import share_context

MAX_PROMPT_TOKENS = 512
FRAME_POSITIONS = "frame_positions"  # in a Conditioning: where in the clip its latent frames stand


@dataclass(frozen=True)
class Variant:
    """What tells Wan's families apart.

    Attributes:
        family: what planning knows of it.
        keeping: how it is told what to keep.
        has_image_context: whether its cross-attention looks at CLIP's picture of frame 0 too.
        experts: of a model, from its name and whether the hub may be asked.
        costs: what its blocks take of a GPU's memory.
    """

    family: Family
    keeping: Keeping
    has_image_context: bool
    experts: Callable[[str, bool], tuple[Expert, ...]]
    costs: Costs


class WanModel:
    """The adapter of all Wan image-to-video models; see lib.models.base.VideoModel for its members."""

    most_at_once: int | None = None

    def __init__(
        self,
        variant: Variant,
        device: torch.device,
        components: dict[str, Any],
        memory: MemoryMode = "fast",
        execution: dict[str, Any] | None = None,
    ) -> None:
        self.frame_stride = variant.family.frame_stride
        self.size_multiple = variant.family.size_multiple
        self.device = device
        self.execution = execution or {}
        self._variant = variant
        self._components = components
        self._memory = memory

    @property
    def experts(self) -> Experts:
        """The denoisers, each a WanTransformer3DModel."""
        experts = self._component("transformer")
        assert isinstance(experts, Experts)
        return experts

    @property
    def transformer(self) -> nn.Module:
        """The denoiser in use."""
        return self.experts.module

    def lora_target_modules(self, layers: Collection[str]) -> list[str]:
        """Return the linear layers of each kind; of cross-attention all but the image's keys and values."""
        return [suffix for kind, suffixes in LORA_LAYERS.items() if kind in layers for suffix in suffixes]

    def latents_shape(self, num_frames: int, height: int, width: int) -> tuple[int, ...]:
        """Return the shape that `encode_video` gives."""
        return self._variant.family.latents_shape(num_frames, height, width)

    @torch.no_grad()
    def encode_video(self, video: torch.Tensor) -> torch.Tensor:
        """Encode with the VAE's mode, not a sample: (1, 3, F, H, W) -> `latents_shape`."""
        batch, channels, frames, height, width = video.shape
        assert channels == 3 and frames % self.frame_stride == 1
        vae = self._vae(width, height)
        latents: torch.Tensor = vae.encode(video.to(self.device, vae.dtype)).latent_dist.mode().float()
        mean, std = self._latent_statistics(vae)
        return (latents - mean) * (1.0 / std)

    @torch.no_grad()
    def decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """Decode with the VAE: (1, channels, f, h, w) -> (1, 3, 1 + 4 (f - 1), cell h, cell w)."""
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
        """Encode the prompt, the image context if there is one, the mask and the condition video."""
        context = {"image_embeds": self._encode_image(first_frame)} if self._variant.has_image_context else {}
        return {
            **self.encode_prompt(prompt),
            **context,
            **self.encode_condition_video(condition_video, keep_mask),
        }

    @torch.no_grad()
    def encode_condition_video(self, condition_video: torch.Tensor, keep_mask: torch.Tensor) -> Conditioning:
        """Encode the condition video and what is kept of it, see `Keeping`."""
        keeping = self._variant.keeping
        return keeping.encode(self.encode_video, condition_video, keep_mask, self._cell_size(), self.frame_stride)

    def select_frames(self, conditioning: Conditioning, positions: Sequence[int]) -> Conditioning:
        """Select along time, and keep the positions for the rotary embedding."""
        names = self._variant.keeping.in_time
        chosen = torch.tensor(positions, device=conditioning[names[0]].device)
        in_time = {name: conditioning[name].index_select(2, chosen) for name in names}
        return {**conditioning, **in_time, FRAME_POSITIONS: chosen}

    def join(self, conditionings: Sequence[Conditioning]) -> Conditioning:
        """Stack positions, which have no batch, and join all else along it."""
        assert all(each.keys() == conditionings[0].keys() for each in conditionings), "all placed in time, or none"
        return {
            name: (torch.stack if name == FRAME_POSITIONS else torch.cat)([each[name] for each in conditionings])
            for name in conditionings[0]
        }

    def regenerated_cells(self, conditioning: Conditioning) -> torch.Tensor:
        """Read what `encode_condition_video` wrote."""
        return self._variant.keeping.regenerated_cells(conditioning)

    def learnt_cells(self, conditioning: Conditioning) -> torch.Tensor | None:
        """Return all cells, or those that are not shown clean, of a model that is told what to keep by time steps."""
        return self._variant.keeping.learnt_cells(conditioning)

    @property
    def num_blocks(self) -> int:
        """Blocks of the transformer."""
        return len(self.transformer.blocks)  # type: ignore[arg-type]  # torch knows no members

    def share_context(self, blocks: Collection[int]) -> None:
        """Let the clips of a batch also attend to the first one in these blocks; none: in no block."""
        share_context(self.transformer, blocks)

    def start_latents(self, noise: torch.Tensor, conditioning: Conditioning) -> torch.Tensor:  # noqa: ARG002
        """Return the noise."""
        return noise

    def begin_sampling(self, cache_threshold: float, guidance: float = 1.0) -> float:
        """Switch diffusers' First Block Cache on or off, empty."""

        def switch(_: Expert, transformer: nn.Module) -> None:
            assert isinstance(transformer, WanTransformer3DModel)
            if transformer.is_cache_enabled:
                transformer.disable_cache()
            if cache_threshold:
                transformer.enable_cache(FirstBlockCacheConfig(cache_threshold))

        self.experts.change("cache", switch)
        return guidance

    def predict_velocity(
        self, noisy_latents: torch.Tensor, sigma: torch.Tensor, conditioning: Conditioning, guided: bool = True
    ) -> torch.Tensor:
        """Run the expert in use on what it is shown, see `Keeping`."""
        batch = len(noisy_latents)
        dtype = conditioning["prompt_embeds"].dtype
        rope = self.transformer.rope
        assert isinstance(rope, PlacedRotaryEmbedding)
        rope.positions = conditioning.get(FRAME_POSITIONS)
        hidden_states, sigmas = self._variant.keeping.show(noisy_latents, sigma, conditioning)
        context = conditioning["image_embeds"].to(dtype) if self._variant.has_image_context else None
        with self._cached_pass("guided" if guided else "unguided"):
            said: torch.Tensor = self.transformer(
                hidden_states=hidden_states.to(dtype),
                timestep=sigmas * THOUSANDTHS,
                encoder_hidden_states=repeated(conditioning["prompt_embeds"], batch),
                encoder_hidden_states_image=None if context is None else repeated(context, batch),
                return_dict=False,
            )[0]
        return self._variant.keeping.answer(said.float(), noisy_latents, sigma, conditioning)

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


WAN21 = Variant(FAMILY, MASK_CHANNELS, has_image_context=True, experts=lambda *_: (SOLE,), costs=COSTS)


def load(
    name: str,
    components: Collection[str],
    *,
    device: torch.device,
    dtype: torch.dtype,
    memory: MemoryUse,
    download: bool,
    files: Sequence[Path] = (),
    variant: Variant = WAN21,
) -> WanModel:
    """Load components of a WanImageToVideoPipeline folder or hub id; safetensors only, never remote code."""
    loaded: dict[str, Any] = {}
    execution: dict[str, Any] = {}
    if "vae" in components:
        loaded["vae"] = load_vae(name, device, download)
    if "encoders" in components:
        loaded |= load_encoders(name, device, dtype, memory, download, variant.has_image_context)
    if "transformer" in components:
        experts = variant.experts(name, download)
        loaded["transformer"], execution = load_experts(
            name, experts, variant.costs, device, dtype, memory, download, files
        )
    return WanModel(variant, device, loaded, memory.mode, execution)
