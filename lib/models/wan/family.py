"""What planning must know of Wan2.1 image-to-video, without torch; its relatives begin from it."""

from collections.abc import Mapping
from typing import Any

from lib.config.families import Family, Features, LoraLayers, LoraTargets

LORA_LAYERS: dict[LoraLayers, list[str]] = {
    "self_attention": ["attn1.to_q", "attn1.to_k", "attn1.to_v", "attn1.to_out.0"],
    "cross_attention": ["attn2.to_q", "attn2.to_k", "attn2.to_v", "attn2.to_out.0"],  # not add_k_proj, add_v_proj
    "feed_forward": ["ffn.net.0.proj", "ffn.net.2"],
}
"""Names within a block, of a WanTransformer3DModel (diffusers/models/transformers/transformer_wan.py)."""

_ATTENTION = {"to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "o"}
ORIGINAL_LAYERS = {
    **{f"attn1.{own}": f"self_attn.{original}" for own, original in _ATTENTION.items()},
    **{f"attn2.{own}": f"cross_attn.{original}" for own, original in _ATTENTION.items()},
    "attn2.add_k_proj": "cross_attn.k_img",
    "attn2.add_v_proj": "cross_attn.v_img",
    "ffn.net.0.proj": "ffn.0",
    "ffn.net.2": "ffn.2",
}
"""Diffusers' names and Wan's own (diffusers/loaders/lora_conversion_utils.py)."""


def lora_targets(config: Mapping[str, Any]) -> LoraTargets:
    """List the layers that a LoRA may adapt, from a WanTransformer3DModel's config.json."""
    num_blocks, inner = config["num_layers"], config["ffn_dim"]
    width = config["num_attention_heads"] * config["attention_head_dim"]
    sizes = {"ffn.net.0.proj": (width, inner), "ffn.net.2": (inner, width)}

    def in_all_blocks(names: list[str]) -> Features:
        return {
            f"blocks.{block}.{name}": sizes.get(name, (width, width)) for block in range(num_blocks) for name in names
        }

    size = f"{num_blocks} blocks, {width} features wide, {inner} in the feed-forward layers"
    return LoraTargets(size, {kind: in_all_blocks(names) for kind, names in LORA_LAYERS.items()})


def file_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """List weights that a file of the denoiser alone must hold, those of all layers, by the names of Wan's own code.

    The first one tells image-to-video models, which are shown 36 channels, from text-to-video ones.

    Args:
        config: of the transformer, diffusers' config.json.
    """
    layers = lora_targets(config).layers.values()
    width = config["num_attention_heads"] * config["attention_head_dim"]
    shapes: dict[str, tuple[int, ...]] = {
        "patch_embedding.weight": (width, config["in_channels"], *config["patch_size"])
    }
    for name, (inner, outer) in (item for features in layers for item in features.items()):
        _, block, layer = name.split(".", 2)
        shapes[f"blocks.{block}.{ORIGINAL_LAYERS[layer]}.weight"] = (outer, inner)
    return shapes


FAMILY = Family(
    frame_stride=4,
    size_multiple=16,
    cell_size=8,
    latent_channels=16,
    pipeline="WanImageToVideoPipeline",
    components=frozenset({"vae", "transformer", "tokenizer", "text_encoder", "image_processor", "image_encoder"}),
    foreign={"transformer_2": "Wan2.2's second denoiser"},
    marks={"boundary_ratio": False, "expand_timesteps": False},
    lora_targets=lora_targets,
    original_layers=ORIGINAL_LAYERS,
    shares_context=True,
    file_shapes=file_shapes,
)
