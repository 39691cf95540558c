"""What planning must know of HunyuanVideo-1.5 image-to-video, without torch."""

from collections.abc import Mapping
from typing import Any

from lib.config.families import Family, Features, LoraLayers, LoraTargets

BLOCKS = "transformer_blocks"
LORA_LAYERS: dict[LoraLayers, list[str]] = {
    "self_attention": ["attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0"],
    "cross_attention": ["attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out"],
    "feed_forward": ["ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2"],
}
"""Names within a block, which has weights of its own for video and text.

Attention is joint: self_attention names the video's projections, cross_attention those of texts and picture
(diffusers/models/transformers/transformer_hunyuan_video15.py).
"""


def check_config(config: Mapping[str, Any]) -> None:
    """Hold a transformer's config against what the adapter runs.

    Raises:
        KeyError: it is text-to-video, or one that is told where a step ends (MeanFlow), by the name of the setting.
    """
    if config["task_type"] != "i2v":
        raise KeyError("task_type")
    if config.get("use_meanflow"):
        raise KeyError("use_meanflow")


def block_layers(num_blocks: int, kind: LoraLayers) -> list[str]:
    """List the layers of a kind in all blocks, by their whole names: suffixes would name the text refiner's too."""
    return [f"{BLOCKS}.{block}.{name}" for block in range(num_blocks) for name in LORA_LAYERS[kind]]


def lora_targets(config: Mapping[str, Any]) -> LoraTargets:
    """List the layers that a LoRA may adapt, from the transformer's config.json."""
    check_config(config)
    num_blocks, width = config["num_layers"], config["num_attention_heads"] * config["attention_head_dim"]
    inner = int(width * config["mlp_ratio"])

    def features(layer: str) -> tuple[int, int]:
        if layer.endswith(".net.0.proj"):
            return width, inner
        return (inner, width) if layer.endswith(".net.2") else (width, width)

    def of_kind(kind: LoraLayers) -> Features:
        return {layer: features(layer) for layer in block_layers(num_blocks, kind)}

    size = f"{num_blocks} blocks, {width} features wide, {inner} in the feed-forward layers"
    return LoraTargets(size, {kind: of_kind(kind) for kind in LORA_LAYERS})


FAMILY = Family(
    frame_stride=4,
    size_multiple=16,
    cell_size=16,
    latent_channels=32,
    pipeline="HunyuanVideo15ImageToVideoPipeline",
    components=frozenset(
        {
            "vae",
            "transformer",
            "tokenizer",
            "text_encoder",
            "tokenizer_2",
            "text_encoder_2",
            "image_encoder",
            "feature_extractor",
        }
    ),
    foreign={},
    lora_targets=lora_targets,
)
