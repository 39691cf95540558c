"""What planning must know of the toy family."""

from collections.abc import Mapping
from typing import Any

from lib.config.families import Family, Features, LoraLayers, LoraTargets

ADAPTED: dict[LoraLayers, list[str]] = {
    "self_attention": ["look_qkv", "look_out"],
    "cross_attention": ["read_ask", "read_answer"],
    "feed_forward": ["widen", "narrow"],
}


def lora_targets(config: Mapping[str, Any]) -> LoraTargets:
    """List the layers of a ToyDenoiser by its config.json."""
    floors, width = config["floors"], config["width"]
    sizes = {"look_qkv": (width, 3 * width), "widen": (width, 2 * width), "narrow": (2 * width, width)}

    def on_all_floors(names: list[str]) -> Features:
        return {f"tower.{floor}.{name}": sizes.get(name, (width, width)) for floor in range(floors) for name in names}

    return LoraTargets(f"{floors} floors", {kind: on_all_floors(names) for kind, names in ADAPTED.items()})


FAMILY = Family(
    frame_stride=2,
    size_multiple=4,
    cell_size=4,
    latent_channels=12,
    pipeline="ToyPipeline",
    components=frozenset({"transformer", "words"}),
    foreign={},
    lora_targets=lora_targets,
)
