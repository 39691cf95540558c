"""What planning must know of Wan2.2-I2V-A14B, without torch."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lib.config.families import LoraTargets
from lib.models.wan import family as wan

EXPERTS = ("transformer", "transformer_2")  # high noise, low noise: as diffusers names them
NO_IMAGE_CONTEXT = {own: original for own, original in wan.ORIGINAL_LAYERS.items() if ".add_" not in own}


def lora_targets(config: Mapping[str, Any]) -> LoraTargets:
    """List the layers that a LoRA may adapt in either expert."""
    return replace(wan.lora_targets(config), experts=EXPERTS)


FAMILY = replace(
    wan.FAMILY,
    components=frozenset({"vae", "tokenizer", "text_encoder", *EXPERTS}),
    foreign={},
    marks={"boundary_ratio": True, "expand_timesteps": False},
    experts=EXPERTS,
    lora_targets=lora_targets,
    original_layers=NO_IMAGE_CONTEXT,
    shares_context=False,
)
