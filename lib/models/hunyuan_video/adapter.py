"""HunyuanVideo image-to-video: what its transformer is shown, in either of its two forms.

Follows diffusers' pipelines/hunyuan_video/pipeline_hunyuan_video_image2video.py; tests hold it against that pipeline.
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, get_args

import torch
from diffusers import FirstBlockCacheConfig, HunyuanVideoTransformer3DModel
from torch import nn

from lib.config.families import LoraLayers
from lib.config.sections import MemoryMode
from lib.execution.devices import free_memory
from lib.execution.memory_modes import MemoryUse, tile_vae
from lib.models.base import Conditioning
from lib.models.experts import SOLE, Experts
from lib.models.hunyuan_video.family import FAMILY, block_layers
from lib.models.hunyuan_video.forward import clean_tokens, predict
from lib.models.hunyuan_video.loading import load_encoders, load_transformer, load_vae, read_form
from lib.models.hunyuan_video.memory import vae_needs
from lib.models.hunyuan_video.text import encode_text
from lib.models.latent_cells import reduce_to_cells, reduce_to_latents

TEXT, TEXT_LENGTHS, POOLED = "llava_states", "llava_lengths", "clip_pooled"
SHOWN, PLACES = "shown_latents", "latent_places"
KEPT = {"latent_concat": "kept_cells", "token_replace": "clean_cells"}
"""Names in a Conditioning: what is read, and what is shown in time; TEXT_LENGTHS and PLACES only where needed.

What is kept has a name for each form: what was encoded for one is not taken for the other's.
"""

NUM_TIMESTEPS = 1000  # the transformer is told sigma and guidance in thousandths
TRAINED_GUIDANCE = 6.0  # that a model with such an input is told in training (Tencent's run_train_image2video_lora.sh)
START_SHARE = 0.999  # of the first latents that is noise; the rest is the first frame, in every latent frame
TOKEN_CELLS = FAMILY.size_multiple // FAMILY.cell_size  # latent cells of a token, in both directions
SMALLEST_SIGMA = 1e-6  # at which a velocity is told from where it has to lead


class HunyuanVideoModel:
    """The HunyuanVideo image-to-video adapter; see lib.models.base.VideoModel for its members."""

    frame_stride = FAMILY.frame_stride
    size_multiple = FAMILY.size_multiple
    most_at_once: int | None = 1  # prompts have other lengths, and attention needs no mask where there is no padding

    def __init__(
        self,
        device: torch.device,
        form: str,
        components: dict[str, Any],
        memory: MemoryMode = "fast",
        execution: dict[str, Any] | None = None,
    ) -> None:
        self.device = device
        self.execution = execution or {}
        self._form = form
        self._kept = KEPT[form]
        self._guidance = TRAINED_GUIDANCE
        self._components = components
        self._experts = Experts((SOLE,), lambda _: components["transformer"]) if "transformer" in components else None
        self._memory = memory

    @property
    def experts(self) -> Experts:
        """The one denoiser."""
        self._component("transformer")
        assert self._experts is not None
        return self._experts

    @property
    def transformer(self) -> nn.Module:
        """The denoiser."""
        return self.experts.module

    def lora_target_modules(self, layers: Collection[str]) -> list[str]:
        """Return the layers of each kind in the blocks, by their whole names."""
        config: Any = self.transformer.config
        counts = config.num_layers, config.num_single_layers
        return [name for kind in get_args(LoraLayers) if kind in layers for name in block_layers(*counts, kind)]

    def latents_shape(self, num_frames: int, height: int, width: int) -> tuple[int, ...]:
        """Return the shape that `encode_video` gives."""
        return FAMILY.latents_shape(num_frames, height, width)

    @torch.no_grad()
    def encode_video(self, video: torch.Tensor) -> torch.Tensor:
        """Encode with the VAE's mode, not a sample: (1, 3, F, H, W) -> (1, 16, 1 + (F - 1) / 4, H / 8, W / 8)."""
        _, channels, frames, height, width = video.shape
        assert channels == 3 and frames % self.frame_stride == 1
        vae = self._vae(width, height)
        latents: torch.Tensor = vae.encode(video.to(self.device, vae.dtype)).latent_dist.mode().float()
        return latents * float(vae.config.scaling_factor)

    @torch.no_grad()
    def decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """Decode with the VAE: (1, 16, f, h, w) -> (1, 3, 1 + 4 (f - 1), 8 h, 8 w).

        The pipeline drops the first four frames of a latent_concat video; here they stay, since the edit has to begin
        where its clip does.
        """
        vae = self._vae(latents.shape[-1] * FAMILY.cell_size, latents.shape[-2] * FAMILY.cell_size)
        latents = latents.to(self.device, vae.dtype) / vae.config.scaling_factor
        video: torch.Tensor = vae.decode(latents, return_dict=False)[0].float()
        return video

    @torch.no_grad()
    def encode_prompt(self, prompt: str, first_frame: torch.Tensor | None = None) -> Conditioning:
        """Encode text with LLaVA, which looks at the first frame, or at black, and with CLIP."""
        states, pooled = encode_text(self._component("encoders"), prompt, first_frame, self._form, self.device)
        return {TEXT: states, POOLED: pooled}

    @torch.no_grad()
    def encode_conditioning(
        self, prompt: str, condition_video: torch.Tensor, keep_mask: torch.Tensor, first_frame: torch.Tensor
    ) -> Conditioning:
        """Encode the prompt beside the first frame, and the condition video."""
        return {**self.encode_prompt(prompt, first_frame), **self.encode_condition_video(condition_video, keep_mask)}

    @torch.no_grad()
    def encode_condition_video(self, condition_video: torch.Tensor, keep_mask: torch.Tensor) -> Conditioning:
        """Reduce the mask to one value per latent cell, or token, and encode the condition video.

        What is not kept is zero in latents, and not in pixels: that is what the model was trained with. Frame 0 is
        encoded alone, as in the pipeline: in a clip its latents are others, since the VAE normalises over time. In form
        token_replace a token is clean or it is not: it is regenerated if any of its cells is.
        """
        kept = reduce_to_latents(keep_mask, FAMILY.cell_size, self.frame_stride).to(self.device)
        if self._form == "token_replace":
            tokens = reduce_to_cells(kept, TOKEN_CELLS)
            kept = tokens.repeat_interleave(TOKEN_CELLS, dim=3).repeat_interleave(TOKEN_CELLS, dim=4)
        condition_video = condition_video * keep_mask  # no pixel of the region, not even beside it
        latents = self.encode_video(condition_video[:, :, :1])
        if kept.shape[2] > 1:
            latents = torch.cat([latents, self.encode_video(condition_video)[:, :, 1:]], dim=2)
        return {SHOWN: latents * kept, self._kept: kept}

    def select_frames(self, conditioning: Conditioning, positions: Sequence[int]) -> Conditioning:
        """Select along time, and keep the positions for the rotary embedding."""
        chosen = torch.tensor(positions, device=conditioning[SHOWN].device)
        in_time = {name: conditioning[name].index_select(2, chosen) for name in (SHOWN, self._kept)}
        return {**conditioning, **in_time, PLACES: chosen[None]}

    def join(self, conditionings: Sequence[Conditioning]) -> Conditioning:
        """Join along the batch; texts of several lengths are padded, and their lengths kept."""
        assert all(each.keys() == conditionings[0].keys() for each in conditionings), "all placed in time, or none"
        joined = {name: torch.cat([each[name] for each in conditionings]) for name in conditionings[0] if name != TEXT}
        texts = [each[TEXT] for each in conditionings]
        longest = max(text.shape[1] for text in texts)
        padded = [nn.functional.pad(text, (0, 0, 0, longest - text.shape[1])) for text in texts]
        lengths = torch.tensor([text.shape[1] for text in texts for _ in text], device=texts[0].device)
        return {**joined, TEXT: torch.cat(padded), TEXT_LENGTHS: lengths}

    def regenerated_cells(self, conditioning: Conditioning) -> torch.Tensor:
        """Return the cells that are not kept."""
        assert self._kept in conditioning, "encoded for a model of the other form"
        return 1 - conditioning[self._kept]

    def learnt_cells(self, conditioning: Conditioning) -> torch.Tensor | None:
        """Return all cells, or in form token_replace, as in Tencent's own training, those that are not clean."""
        return self.regenerated_cells(conditioning) if self._form == "token_replace" else None

    def start_latents(self, noise: torch.Tensor, conditioning: Conditioning) -> torch.Tensor:
        """Mix a thousandth of the first frame into all latent frames, as in the pipeline."""
        share = torch.tensor([START_SHARE], device=noise.device)
        return noise * share + conditioning[SHOWN][:, :, :1] * (1 - share)

    def begin_sampling(self, cache_threshold: float, guidance: float = 1.0) -> float:
        """Switch diffusers' First Block Cache on or off, empty; tell the model the guidance, if it is told any."""
        transformer = self.transformer
        assert isinstance(transformer, HunyuanVideoTransformer3DModel)
        if transformer.is_cache_enabled:
            transformer.disable_cache()
        if cache_threshold:
            transformer.enable_cache(FirstBlockCacheConfig(threshold=cache_threshold))
        self._guidance = guidance
        return 1.0 if self._is_told_guidance else guidance

    @property
    def _is_told_guidance(self) -> bool:
        return bool(self.transformer.config.guidance_embeds)  # type: ignore[union-attr]

    def predict_velocity(
        self, noisy_latents: torch.Tensor, sigma: torch.Tensor, conditioning: Conditioning, guided: bool = True
    ) -> torch.Tensor:
        """Run the transformer, one sample after the other.

        In form latent_concat on channels noisy 16, condition latents 16, mask 1. In form token_replace on the condition
        latents where these are kept, as clean tokens at time 0, and on noisy ones elsewhere; the velocity of clean
        tokens is that which leads to them from wherever the noisy latents are.
        """
        batch = len(noisy_latents)
        streamed = self.execution.get("offload_inputs") and torch.is_grad_enabled()
        assert batch == 1 or not streamed, "inputs that wait in host memory are those of one sample"
        with self._cached_pass("guided" if guided else "unguided"):
            velocities = [
                self._predict(noisy_latents[index : index + 1], sigma[index : index + 1], _one_of(conditioning, index))
                for index in range(batch)
            ]
        return torch.cat(velocities)

    def _predict(self, noisy_latents: torch.Tensor, sigma: torch.Tensor, conditioning: Conditioning) -> torch.Tensor:
        """Predict the velocity of one sample."""
        dtype, places = conditioning[TEXT].dtype, conditioning.get(PLACES)
        assert self._kept in conditioning, "encoded for a model of the other form"
        shown, kept, replaces = conditioning[SHOWN], conditioning[self._kept], self._form == "token_replace"
        told = torch.tensor([self._guidance], dtype=dtype, device=shown.device) * NUM_TIMESTEPS
        velocity = predict(
            self.transformer,
            (
                torch.where(kept > 0, shown, noisy_latents) if replaces else torch.cat([noisy_latents, shown, kept], 1)
            ).to(dtype),
            sigma * NUM_TIMESTEPS,
            conditioning[TEXT],
            conditioning[POOLED].to(dtype),
            guidance=told if self._is_told_guidance else None,
            positions=None if places is None else places[0],
            clean=clean_tokens(kept, TOKEN_CELLS) if replaces else None,
        ).float()
        if not replaces:
            return velocity
        to_shown = (noisy_latents - shown) / sigma.clamp(min=SMALLEST_SIGMA).view(-1, 1, 1, 1, 1)
        return torch.where(kept > 0, to_shown, velocity)

    def _cached_pass(self, name: str) -> AbstractContextManager[None]:
        transformer = self.transformer
        assert isinstance(transformer, HunyuanVideoTransformer3DModel)
        cached: AbstractContextManager[None] = transformer.cache_context(name)
        return cached if transformer.is_cache_enabled else nullcontext()

    def _vae(self, width: int, height: int) -> Any:
        """Return the VAE, set up for frames of this size."""
        vae = self._component("vae")
        if tile_vae(self._memory, vae_needs(width, height), free_memory(self.device)):
            print(f"the VAE works tile by tile: {width}x{height} pixels at once do not fit")
            vae.enable_tiling()
        else:
            vae.disable_tiling()
        return vae

    def _component(self, name: str) -> Any:
        assert name in self._components, f"{name} was not loaded; this stage asked for {sorted(self._components)}"
        return self._components[name]


def _one_of(conditioning: Conditioning, index: int) -> Conditioning:
    """Return one sample's part of a batch's conditioning, its text without padding; of batch 1, all samples' own."""
    row = 0 if len(conditioning[TEXT]) == 1 else index
    own = {name: tensor[row : row + 1] for name, tensor in conditioning.items()}
    lengths = own.pop(TEXT_LENGTHS, None)
    if lengths is not None:
        own[TEXT] = own[TEXT][:, : int(lengths)]
    return own


def load(
    name: str,
    components: Collection[str],
    *,
    device: torch.device,
    dtype: torch.dtype,
    memory: MemoryUse,
    download: bool,
) -> HunyuanVideoModel:
    """Load components of a HunyuanVideo image-to-video folder or hub id; safetensors only, never remote code."""
    form = read_form(name, download)
    loaded: dict[str, Any] = {}
    execution: dict[str, Any] = {}
    if "vae" in components:
        loaded["vae"] = load_vae(name, device, download)
    if "encoders" in components:
        loaded["encoders"] = load_encoders(name, device, dtype, memory, download)
    if "transformer" in components:
        loaded["transformer"], execution = load_transformer(name, device, dtype, memory, download)
    return HunyuanVideoModel(device, form, loaded, memory.mode, execution)
