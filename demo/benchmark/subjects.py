"""What the benchmark must know of each family: its denoiser's size, what that is shown, and how its adapter runs it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from diffusers import HunyuanVideo15Transformer3DModel, HunyuanVideoTransformer3DModel, WanTransformer3DModel

from demo.benchmark.architectures import HUNYUAN_VIDEO, HUNYUAN_VIDEO_15, WAN22_A14B, WAN22_TI2V, WAN_14B
from demo.benchmark.random_models import PACKED, TEXT_TOKENS, random_sample
from demo.benchmark.rates import Size, joint_size, wan_size
from lib.config.families import Family
from lib.config.sections import WeightStore
from lib.execution.block_runs import Execution
from lib.execution.memory_modes import Needs
from lib.inputs.gguf_header import block_of
from lib.models.base import Sample, VideoModel
from lib.models.experts import SOLE, Experts
from lib.models.hunyuan_video import family as hunyuan_video
from lib.models.hunyuan_video import loading as hunyuan_video_loading
from lib.models.hunyuan_video import memory as hunyuan_video_memory
from lib.models.hunyuan_video.adapter import HunyuanVideoModel
from lib.models.hunyuan_video_15 import family as hunyuan_video_15
from lib.models.hunyuan_video_15 import loading as hunyuan_video_15_loading
from lib.models.hunyuan_video_15 import memory as hunyuan_video_15_memory
from lib.models.hunyuan_video_15.adapter import HunyuanVideo15Model
from lib.models.wan import loading as wan_loading
from lib.models.wan import memory as wan_memory
from lib.models.wan.a14b.adapter import A14B
from lib.models.wan.adapter import WAN21, Variant, WanModel
from lib.models.wan.memory import packed_needs
from lib.models.wan.ti2v.adapter import TI2V

Clip = tuple[int, int, int]
"""Frames, height and width in pixels."""

TINY_WAN = {
    "num_attention_heads": 4,  # 256 numbers wide, as GGUF wants it
    "attention_head_dim": 64,
    "ffn_dim": 512,
    "num_layers": 3,
    "added_kv_proj_dim": 256,
}
TINY_WAN22 = {**TINY_WAN, "added_kv_proj_dim": None}
TINY_HUNYUAN = {"num_attention_heads": 2, "attention_head_dim": 128, "num_layers": 2, "num_single_layers": 2}
TINY_HUNYUAN_15 = {"num_attention_heads": 2, "num_layers": 3}
PROMPT_TOKENS = 128  # of a caption, in models that leave padding out
PICTURE_TOKENS = 144  # of LLaVA's, beside a prompt, in the form token_replace
SIGLIP_TOKENS = 729


@dataclass(frozen=True)
class Subject:
    """A family's denoiser.

    Attributes:
        title: the model that is published in this size.
        family: what planning knows of it.
        config: of the transformer.
        tiny: what a toy has instead.
        clip: that its preset edits.
        kind: the transformer's class.
        size: from the config.
        needs: from config, latents (batch, channels, frames, height, width) and dtype.
        place: puts the transformer on a device, as its blocks are to be run.
        model: makes the adapter of a placed transformer; `execution` is how its blocks are run.
        sample: draws a sample of a clip's shapes, with its conditioning; sees the clip with frame 0 and half the rest.
        text_tokens: that attend beside the video's.
        has_plain: whether diffusers' own way to run it is measured too.
    """

    title: str
    family: Family
    config: Mapping[str, Any]
    tiny: Mapping[str, Any]
    clip: Clip
    kind: Any
    size: Callable[[Mapping[str, Any]], Size]
    needs: Callable[[Mapping[str, Any], Sequence[int], torch.dtype], Needs]
    place: Callable[[Any, Execution, torch.device], Any]
    model: Callable[[Any, torch.device, dict[str, Any]], VideoModel]
    sample: Callable[[Mapping[str, Any], Clip, torch.device, torch.dtype], Sample]
    text_tokens: int = 0
    has_plain: bool = False

    def plan(self, clip: Clip, draws: int, dtype: torch.dtype, weights: WeightStore) -> Needs:
        """Count what the transformer needs for a batch of so many noise levels of a clip, its weights kept so."""
        _, *shape = self.family.latents_shape(*clip)
        needs = self.needs(self.config, (draws, *shape), dtype)
        if weights != "gguf":
            return needs
        (numbers, size_bytes), size = block_of(PACKED), self.size(self.config)
        share = size_bytes / (numbers * dtype.itemsize)
        return packed_needs(needs, int(share * needs.block_bytes), size.heads * size.head_width * size.wide)

    def count_tokens(self, clip: Clip) -> int:
        """Count the tokens that attend to each other."""
        frames, height, width = clip
        side = self.family.size_multiple
        return (1 + (frames - 1) // self.family.frame_stride) * (height // side) * (width // side) + self.text_tokens


def _wan(variant: Variant, transformer: Any, device: torch.device, execution: dict[str, Any]) -> VideoModel:
    return WanModel(variant, device, {"transformer": Experts([SOLE], lambda _: transformer)}, execution=execution)


def _hunyuan_video(transformer: Any, device: torch.device, execution: dict[str, Any]) -> VideoModel:
    form = transformer.config.image_condition_type
    return HunyuanVideoModel(device, form, {"transformer": transformer}, execution=execution)


def _hunyuan_video_15(transformer: Any, device: torch.device, execution: dict[str, Any]) -> VideoModel:
    return HunyuanVideo15Model(device, {"transformer": transformer}, execution)


def describe(execution: Execution) -> dict[str, Any]:
    """Return an execution as an adapter records it."""
    return {**asdict(execution), "at_once": 1}


def _draw(generator: torch.Generator, device: torch.device, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=generator).to(device)


def _kept(draw: Callable[..., torch.Tensor], latents: torch.Tensor, side: int) -> torch.Tensor:
    """Draw the cells that are kept, in squares of so many: all of latent frame 0, and half of the others."""
    _, _, frames, height, width = latents.shape
    squares = (draw(1, 1, frames, height // side, width // side) > 0).float()
    squares[:, :, 0] = 1
    return squares.repeat_interleave(side, dim=3).repeat_interleave(side, dim=4)


def _wan_sample(config: Mapping[str, Any], clip: Clip, device: torch.device, dtype: torch.dtype) -> Sample:
    return random_sample(config, *clip, device, dtype)


def _ti2v_sample(config: Mapping[str, Any], clip: Clip, device: torch.device, dtype: torch.dtype) -> Sample:
    draw = partial(_draw, torch.Generator("cpu").manual_seed(1), device)
    latents = draw(*TI2V.family.latents_shape(*clip))
    kept = _kept(draw, latents, 2)
    prompt = draw(1, TEXT_TOKENS, config["text_dim"]).to(dtype)
    return Sample(latents, {"prompt_embeds": prompt, "token_cells": kept, "token_latents": latents * kept})


def _hunyuan_video_sample(config: Mapping[str, Any], clip: Clip, device: torch.device, dtype: torch.dtype) -> Sample:
    draw = partial(_draw, torch.Generator("cpu").manual_seed(1), device)
    latents = draw(*hunyuan_video.FAMILY.latents_shape(*clip))
    kept = _kept(draw, latents, 2)
    conditioning = {
        "llava_states": draw(1, PICTURE_TOKENS + PROMPT_TOKENS, config["text_embed_dim"]).to(dtype),
        "clip_pooled": draw(1, config["pooled_projection_dim"]).to(dtype),
        "shown_latents": latents * kept,
        "clean_cells": kept,
    }
    return Sample(latents, conditioning)


def _hunyuan_video_15_sample(config: Mapping[str, Any], clip: Clip, device: torch.device, dtype: torch.dtype) -> Sample:
    draw = partial(_draw, torch.Generator("cpu").manual_seed(1), device)
    latents = draw(*hunyuan_video_15.FAMILY.latents_shape(*clip))
    kept = _kept(draw, latents, 1)
    conditioning = {
        "qwen_states": draw(1, PROMPT_TOKENS, config["text_embed_dim"]).to(dtype),
        "byt5_states": draw(1, 0, config["text_embed_2_dim"]).to(dtype),
        "siglip_states": draw(1, SIGLIP_TOKENS, config["image_embed_dim"]).to(dtype),
        "given_latents": latents * kept,
        "given_cells": kept,
    }
    return Sample(latents, conditioning)


def _of_wan(
    title: str,
    variant: Variant,
    config: Mapping[str, Any],
    tiny: Mapping[str, Any],
    clip: Clip,
    sample: Callable[[Mapping[str, Any], Clip, torch.device, torch.dtype], Sample],
) -> Subject:
    return Subject(
        title=title,
        family=variant.family,
        config=config,
        tiny=tiny,
        clip=clip,
        kind=WanTransformer3DModel,
        size=wan_size,
        needs=partial(wan_memory.transformer_needs, costs=variant.costs),
        place=wan_loading.place_transformer,
        model=partial(_wan, variant),
        sample=sample,
        has_plain=True,
    )


CLIP_480P, CLIP_704P = (49, 480, 832), (49, 704, 1280)
SUBJECTS: Mapping[str, Subject] = {
    "wan": _of_wan("Wan2.1-I2V-14B", WAN21, WAN_14B, TINY_WAN, CLIP_480P, _wan_sample),
    "wan22": _of_wan("Wan2.2-I2V-A14B, one of two experts", A14B, WAN22_A14B, TINY_WAN22, CLIP_480P, _wan_sample),
    "wan22_ti2v": _of_wan("Wan2.2-TI2V-5B", TI2V, WAN22_TI2V, TINY_WAN22, CLIP_704P, _ti2v_sample),
    "hunyuan_video": Subject(
        title="HunyuanVideo-I2V 13B, token_replace",
        family=hunyuan_video.FAMILY,
        config=HUNYUAN_VIDEO,
        tiny=TINY_HUNYUAN,
        clip=CLIP_480P,
        kind=HunyuanVideoTransformer3DModel,
        size=joint_size,
        needs=hunyuan_video_memory.transformer_needs,
        place=hunyuan_video_loading.place_transformer,
        model=_hunyuan_video,
        sample=_hunyuan_video_sample,
        text_tokens=PICTURE_TOKENS + PROMPT_TOKENS,
    ),
    "hunyuan_video_15": Subject(
        title="HunyuanVideo-1.5-I2V 8.3B",
        family=hunyuan_video_15.FAMILY,
        config=HUNYUAN_VIDEO_15,
        tiny=TINY_HUNYUAN_15,
        clip=CLIP_480P,
        kind=HunyuanVideo15Transformer3DModel,
        size=joint_size,
        needs=hunyuan_video_15_memory.transformer_needs,
        place=hunyuan_video_15_loading.place_transformer,
        model=_hunyuan_video_15,
        sample=_hunyuan_video_15_sample,
        text_tokens=SIGLIP_TOKENS + PROMPT_TOKENS,
    ),
}
"""By the name of the family."""
