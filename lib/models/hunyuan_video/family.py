"""What planning must know of HunyuanVideo image-to-video, without torch."""

from collections.abc import Mapping
from typing import Any

from lib.config.families import Family, Features, LoraLayers, LoraTargets

FORMS = ("latent_concat", "token_replace")
"""How a checkpoint is shown its first frame, as its transformer's config.json says.

latent_concat: by condition latents and a mask beside the noisy latents, 33 channels; token_replace: by clean tokens at
time 0 among the noisy ones.
"""

DUAL, SINGLE = "transformer_blocks", "single_transformer_blocks"
DUAL_LAYERS: dict[LoraLayers, list[str]] = {
    "self_attention": ["attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0"],
    "cross_attention": ["attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out"],
    "feed_forward": ["ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2"],
}
"""Names within a block of the first kind, with weights of their own for video and text.

Attention is joint: self_attention names the video's projections, cross_attention the text's
(diffusers/models/transformers/transformer_hunyuan_video.py).
"""
SINGLE_LAYERS: dict[LoraLayers, list[str]] = {
    "self_attention": ["attn.to_q", "attn.to_k", "attn.to_v"],
    "cross_attention": [],
    "feed_forward": ["proj_mlp", "proj_out"],
}
"""Names within a block of the second kind, where video and text share weights; proj_out is attention's output too."""


def block_layers(num_dual: int, num_single: int, kind: LoraLayers) -> list[str]:
    """List the layers of a kind in all blocks, by their whole names.

    Suffixes would name layers of the text's refiner and of the model's head too.
    """
    dual = [f"{DUAL}.{block}.{name}" for block in range(num_dual) for name in DUAL_LAYERS[kind]]
    return dual + [f"{SINGLE}.{block}.{name}" for block in range(num_single) for name in SINGLE_LAYERS[kind]]


def lora_targets(config: Mapping[str, Any]) -> LoraTargets:
    """List the layers that a LoRA may adapt, from the transformer's config.json."""
    if config["image_condition_type"] not in FORMS:  # text-to-video has null there
        raise KeyError("image_condition_type")
    width = config["num_attention_heads"] * config["attention_head_dim"]
    inner = int(width * config["mlp_ratio"])
    counts = config["num_layers"], config["num_single_layers"]

    def features(layer: str) -> tuple[int, int]:
        if layer.endswith((".net.0.proj", ".proj_mlp")):
            return width, inner
        if layer.endswith(".net.2"):
            return inner, width
        return (width + inner, width) if layer.endswith(".proj_out") else (width, width)

    def of_kind(kind: LoraLayers) -> Features:
        return {layer: features(layer) for layer in block_layers(*counts, kind)}

    size = f"{counts[0]} + {counts[1]} blocks, {width} features wide, {inner} in the feed-forward layers"
    return LoraTargets(size, {kind: of_kind(kind) for kind in DUAL_LAYERS})


FAMILY = Family(
    frame_stride=4,
    size_multiple=16,
    cell_size=8,
    latent_channels=16,
    pipeline="HunyuanVideoImageToVideoPipeline",
    components=frozenset(
        {"vae", "transformer", "tokenizer", "text_encoder", "tokenizer_2", "text_encoder_2", "image_processor"}
    ),
    foreign={},
    lora_targets=lora_targets,
)
