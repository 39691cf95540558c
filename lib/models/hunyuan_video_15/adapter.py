"""HunyuanVideo-1.5 image-to-video: what its transformer is shown, as condition latents, mask, texts and picture.

Follows diffusers' pipelines/hunyuan_video1_5/pipeline_hunyuan_video1_5_image2video.py; tests hold it against that.
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, get_args

import torch
from diffusers import FirstBlockCacheConfig, HunyuanVideo15ImageToVideoPipeline, HunyuanVideo15Transformer3DModel
from diffusers.hooks._helpers import TransformerBlockMetadata, TransformerBlockRegistry
from diffusers.models.transformers.transformer_hunyuan_video15 import HunyuanVideo15TransformerBlock
from diffusers.video_processor import VideoProcessor
from torch import nn

from lib.config.families import LoraLayers
from lib.execution.memory_modes import MemoryUse
from lib.models.base import Conditioning
from lib.models.experts import SOLE, Experts
from lib.models.hunyuan_video_15.family import FAMILY, block_layers
from lib.models.hunyuan_video_15.forward import predict
from lib.models.hunyuan_video_15.loading import load_encoders, load_transformer, load_vae, read_config
from lib.models.latent_cells import reduce_to_latents

TEXTS = ("qwen_states", "byt5_states")
PICTURE, SHOWN, KEPT = "siglip_states", "given_latents", "given_cells"
LENGTHS, PLACES = "_lengths", "given_places"
"""Names in a Conditioning; TEXTS with LENGTHS after them, and PLACES, only where needed."""

NUM_TIMESTEPS = 1000  # the transformer is told sigma in thousandths
TEMPLATE_TOKENS = 108  # of the chat that prompts are put in, before the prompt (the pipeline's own)
PROMPT_TOKENS, GLYPH_TOKENS = 1000, 256  # at most (the pipeline's own)


class HunyuanVideo15Model:
    """The HunyuanVideo-1.5 image-to-video adapter; see lib.models.base.VideoModel for its members."""

    frame_stride = FAMILY.frame_stride
    size_multiple = FAMILY.size_multiple
    most_at_once: int | None = 1  # prompts have other lengths, and attention needs no mask where there is no padding

    def __init__(
        self, device: torch.device, components: dict[str, Any], execution: dict[str, Any] | None = None
    ) -> None:
        self.device = device
        self.execution = execution or {}
        self._components = components
        self._experts = Experts((SOLE,), lambda _: components["transformer"]) if "transformer" in components else None

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
        return [
            name for kind in get_args(LoraLayers) if kind in layers for name in block_layers(config.num_layers, kind)
        ]

    def latents_shape(self, num_frames: int, height: int, width: int) -> tuple[int, ...]:
        """Return the shape that `encode_video` gives."""
        return FAMILY.latents_shape(num_frames, height, width)

    @torch.no_grad()
    def encode_video(self, video: torch.Tensor) -> torch.Tensor:
        """Encode with the VAE's mode, not a sample: (1, 3, F, H, W) -> (1, 32, 1 + (F - 1) / 4, H / 16, W / 16)."""
        _, channels, frames, _, _ = video.shape
        assert channels == 3 and frames % self.frame_stride == 1
        vae = self._component("vae")
        latents: torch.Tensor = vae.encode(video.to(self.device, vae.dtype)).latent_dist.mode().float()
        return latents * float(vae.config.scaling_factor)

    @torch.no_grad()
    def decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """Decode with the VAE: (1, 32, f, h, w) -> (1, 3, 1 + 4 (f - 1), 16 h, 16 w)."""
        vae = self._component("vae")
        latents = latents.to(self.device, vae.dtype) / vae.config.scaling_factor
        video: torch.Tensor = vae.decode(latents, return_dict=False)[0].float()
        return video

    @torch.no_grad()
    def encode_prompt(self, prompt: str, first_frame: torch.Tensor | None = None) -> Conditioning:  # noqa: ARG002
        """Encode text with the language model, and the letters that it quotes with ByT5; padding is left out."""
        own = HunyuanVideo15ImageToVideoPipeline
        encoders = [self._component(name) for name in ("text_encoder", "tokenizer", "tokenizer_2", "text_encoder_2")]
        text = own._get_mllm_prompt_embeds(
            *encoders[:2], prompt, self.device, PROMPT_TOKENS, crop_start=TEMPLATE_TOKENS
        )
        glyphs = own._get_byt5_prompt_embeds(*encoders[2:], prompt, self.device, GLYPH_TOKENS)
        return {name: states[:, mask[0].bool()] for name, (states, mask) in zip(TEXTS, (text, glyphs), strict=True)}

    @torch.no_grad()
    def encode_conditioning(
        self, prompt: str, condition_video: torch.Tensor, keep_mask: torch.Tensor, first_frame: torch.Tensor
    ) -> Conditioning:
        """Encode the prompt, the first frame as a picture, and the condition video."""
        return {
            **self.encode_prompt(prompt),
            PICTURE: self._encode_picture(first_frame),
            **self.encode_condition_video(condition_video, keep_mask),
        }

    @torch.no_grad()
    def encode_condition_video(self, condition_video: torch.Tensor, keep_mask: torch.Tensor) -> Conditioning:
        """Reduce the mask to one value per latent cell, and encode the condition video.

        What is not kept is zero in latents, and not in pixels: that is what the model was trained with.
        """
        kept = reduce_to_latents(keep_mask, FAMILY.cell_size, self.frame_stride).to(self.device)
        condition_video = condition_video * keep_mask  # no pixel of the region, not even beside it
        latents = self.encode_video(condition_video[:, :, :1])
        if kept.shape[2] > 1:
            latents = torch.cat([latents, self.encode_video(condition_video)[:, :, 1:]], dim=2)
        return {SHOWN: latents * kept, KEPT: kept}

    def select_frames(self, conditioning: Conditioning, positions: Sequence[int]) -> Conditioning:
        """Select along time, and keep the positions for the rotary embedding."""
        chosen = torch.tensor(positions, device=conditioning[SHOWN].device)
        in_time = {name: conditioning[name].index_select(2, chosen) for name in (SHOWN, KEPT)}
        return {**conditioning, **in_time, PLACES: chosen[None]}

    def join(self, conditionings: Sequence[Conditioning]) -> Conditioning:
        """Join along the batch; texts of several lengths are padded, and their lengths kept."""
        assert all(each.keys() == conditionings[0].keys() for each in conditionings), "all placed in time, or none"
        joined = {}
        for name in conditionings[0]:
            tensors = [each[name] for each in conditionings]
            if name in TEXTS:
                lengths = [tensor.shape[1] for tensor in tensors]
                tensors = [nn.functional.pad(each, (0, 0, 0, max(lengths) - each.shape[1])) for each in tensors]
                joined[name + LENGTHS] = torch.tensor(lengths, device=tensors[0].device)
            joined[name] = torch.cat(tensors)
        return joined

    def regenerated_cells(self, conditioning: Conditioning) -> torch.Tensor:
        """Return the cells that are not kept."""
        return 1 - conditioning[KEPT]

    def learnt_cells(self, conditioning: Conditioning) -> torch.Tensor | None:  # noqa: ARG002
        """Return None: all are."""
        return None

    def start_latents(self, noise: torch.Tensor, conditioning: Conditioning) -> torch.Tensor:  # noqa: ARG002
        """Return the noise."""
        return noise

    def begin_sampling(self, cache_threshold: float, guidance: float = 1.0) -> float:
        """Switch diffusers' First Block Cache on or off, empty."""
        transformer = self.transformer
        assert isinstance(transformer, HunyuanVideo15Transformer3DModel)
        if transformer.is_cache_enabled:
            transformer.disable_cache()
        if cache_threshold:
            # diffusers knows the blocks of HunyuanVideo, which give back the same pair, and forgot these.
            pair = TransformerBlockMetadata(return_hidden_states_index=0, return_encoder_hidden_states_index=1)
            TransformerBlockRegistry.register(model_class=HunyuanVideo15TransformerBlock, metadata=pair)
            transformer.enable_cache(FirstBlockCacheConfig(threshold=cache_threshold))
        return guidance

    def predict_velocity(
        self, noisy_latents: torch.Tensor, sigma: torch.Tensor, conditioning: Conditioning, guided: bool = True
    ) -> torch.Tensor:
        """Run the transformer on channels noisy 32, condition latents 32, mask 1, one sample after the other."""
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
        text, glyphs = (conditioning[name] for name in TEXTS)
        places = conditioning.get(PLACES)
        return predict(
            self.transformer,
            torch.cat([noisy_latents, conditioning[SHOWN], conditioning[KEPT]], dim=1).to(text.dtype),
            sigma * NUM_TIMESTEPS,
            text,
            glyphs.to(text.dtype),
            conditioning[PICTURE].to(text.dtype),
            positions=None if places is None else places[0],
        ).float()

    def _encode_picture(self, first_frame: torch.Tensor) -> torch.Tensor:
        """Encode frame 0 as a picture: (1, patches, width)."""
        _, _, frames, _, _ = first_frame.shape
        assert frames == 1
        (picture,) = VideoProcessor().postprocess(first_frame[:, :, 0].cpu())
        encoders = self._component("image_encoder"), self._component("feature_extractor")
        states: torch.Tensor = HunyuanVideo15ImageToVideoPipeline._get_image_embeds(*encoders, picture, self.device)
        return states

    def _cached_pass(self, name: str) -> AbstractContextManager[None]:
        transformer = self.transformer
        assert isinstance(transformer, HunyuanVideo15Transformer3DModel)
        cached: AbstractContextManager[None] = transformer.cache_context(name)
        return cached if transformer.is_cache_enabled else nullcontext()

    def _component(self, name: str) -> Any:
        assert name in self._components, f"{name} was not loaded; this stage asked for {sorted(self._components)}"
        return self._components[name]


def _one_of(conditioning: Conditioning, index: int) -> Conditioning:
    """Return one sample's part of a batch's conditioning, its texts without padding; of batch 1, all samples' own."""
    row = 0 if len(conditioning[SHOWN]) == 1 else index
    own = {name: tensor[row : row + 1] for name, tensor in conditioning.items()}
    for name in TEXTS:
        if name + LENGTHS in own:
            own[name] = own[name][:, : int(own.pop(name + LENGTHS))]
    return own


def load(
    name: str,
    components: Collection[str],
    *,
    device: torch.device,
    dtype: torch.dtype,
    memory: MemoryUse,
    download: bool,
) -> HunyuanVideo15Model:
    """Load components of a HunyuanVideo-1.5 image-to-video folder or hub id; safetensors only, never remote code."""
    config = read_config(name, download)
    loaded: dict[str, Any] = {}
    execution: dict[str, Any] = {}
    if "vae" in components:
        loaded["vae"] = load_vae(name, device, download)
    if "encoders" in components:
        loaded |= load_encoders(name, device, dtype, memory, download)
    if "transformer" in components:
        loaded["transformer"], execution = load_transformer(name, config, device, dtype, memory, download)
    return HunyuanVideo15Model(device, loaded, execution)
