"""What programs call the tensors of a LoRA file, for one family's layers; torch-free, since runs check them first.

diffusers   transformer.blocks.0.LAYER.lora_A.weight, peft's settings in the metadata: what this workflow writes
comfyui     diffusion_model.blocks.0.LAYER.lora_A.weight, LAYER in the model's own words: ComfyUI, the paper's authors
            and most trainers; also with lora_down and lora_up, and with an alpha beside each pair
kohya       lora_unet_blocks_0_LAYER.lora_down.weight, the same with `_` for each dot, and alpha: musubi-tuner
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from lib.core.errors import InputError, Problem

ORIGINAL, KOHYA = "diffusion_model.", "lora_unet_"
PREFIXES = (ORIGINAL, "model.diffusion_model.", "base_model.model.", "transformer.", "")  # before a layer
SIDES = {"lora_A.weight": "A", "lora_B.weight": "B", "lora_down.weight": "A", "lora_up.weight": "B", "alpha": "alpha"}
ADAPTER = ".default"  # peft's name of an adapter, which some programs leave in


def pair_up(path: Path, names: Iterable[str], originals: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Find the pairs of a LoRA file, whichever names it has.

    Args:
        path: of the file, for errors.
        names: of its tensors.
        originals: `Family.original_layers`.

    Returns:
        By diffusers' name of each layer, such as `blocks.0.LAYER`, its tensors A, B and perhaps alpha.

    Raises:
        InputError: a tensor is neither half of a pair of such layers nor its alpha, or there is none at all.
    """
    found: dict[str, dict[str, str]] = {}
    strays = []
    for name in names:
        layer, side = split_name(name, originals)
        if layer is None:
            strays.append(f"a tensor {name}")
        elif side in found.setdefault(layer, {}):
            strays.append(f"a tensor {name} beside {found[layer][side]}")
        else:
            found[layer][side] = name
    strays += [f"half of a pair for {layer}" for layer, sides in found.items() if not {"A", "B"} <= sides.keys()]
    if strays or not found:
        more = f", and {len(strays) - 1} more like it" if len(strays) > 1 else ""
        expected = "pairs of a LoRA of this family, as diffusers, ComfyUI or kohya's trainers name them"
        raise InputError([Problem(str(path), strays[0] + more if strays else "no tensors", expected)])
    return found


def split_name(name: str, originals: Mapping[str, str]) -> tuple[str | None, str]:
    """Return the layer that a tensor belongs to, by diffusers' name, and its side; None: it is no part of a LoRA."""
    name = name.replace(ADAPTER, "")
    ending = next((ending for ending in SIDES if name.endswith(f".{ending}")), None)
    if ending is None:
        return None, ""
    layer, side = name[: -len(ending) - 1], SIDES[ending]
    if layer.startswith(KOHYA):
        match = re.fullmatch(r"blocks_(\d+)_(.+)", layer.removeprefix(KOHYA))
        known = {original.replace(".", "_"): own for own, original in originals.items()}
        own = known.get(match[2]) if match else None
        return (f"blocks.{match[1]}.{own}" if match and own else None), side
    names = {original: own for own, original in originals.items()}
    for prefix in PREFIXES:
        match = re.fullmatch(r"blocks\.(\d+)\.(.+)", layer.removeprefix(prefix)) if layer.startswith(prefix) else None
        if match:
            own = names.get(match[2], match[2])
            return (f"blocks.{match[1]}.{own}" if own in originals else None), side
    return None, side
