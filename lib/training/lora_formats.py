"""Read and write LoRA files under the names that other programs use.

`lib.inputs.lora_names` says which there are.

    python -m lib.training.lora_formats FROM TO --to comfyui

Other programs have a file for each denoiser of a model of several: `--expert` names the part of ours to write.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from lib.config.families import FAMILIES, family_of
from lib.core.errors import InputError, Problem, nearest_known
from lib.core.files import whole_file
from lib.inputs.lora_files import METADATA_KEY, PREFIX, read_header
from lib.inputs.lora_names import ORIGINAL, pair_up

Format = Literal["diffusers", "comfyui"]


@dataclass(frozen=True)
class Lora:
    """A LoRA under diffusers' names.

    Attributes:
        factors: (rank, in) and (out, rank) of each layer, such as `blocks.0.LAYER`.
        alphas: of each layer; the LoRA counts alpha / rank.
    """

    factors: Mapping[str, tuple[torch.Tensor, torch.Tensor]]
    alphas: Mapping[str, float]


def read_lora(path: Path, family: str, expert: str | None = None) -> Lora:
    """Read a LoRA under whichever names it has.

    Args:
        path: a safetensors file.
        family: of the model that it is for.
        expert: of a file that has a part for each denoiser, the one to read; None: the first one's.

    Raises:
        InputError: it cannot be read, or see `pair_up`.
    """
    read_header(path)
    with safe_open(path, framework="pt") as opened:
        names = _of_expert(list(opened.keys()), expert or family_of(family).experts[0], family)
        tensors = {name: opened.get_tensor(name) for name in names}
        metadata = opened.metadata() or {}
    as_alone = {_as_alone(name, expert): name for name in names}
    found = {
        layer: {side: tensors[as_alone[name]] for side, name in sides.items()}
        for layer, sides in pair_up(path, as_alone, family_of(family).original_layers).items()
    }
    own_alpha = _alpha_of(metadata, expert or PREFIX)
    alphas = {
        layer: float(sides["alpha"]) if "alpha" in sides else own_alpha or float(len(sides["A"]))
        for layer, sides in found.items()
    }
    return Lora({layer: (sides["A"], sides["B"]) for layer, sides in found.items()}, alphas)


def _of_expert(names: Sequence[str], expert: str, family: str) -> list[str]:
    """Leave out the parts of other denoisers; a file that tells none apart is the expert's as a whole."""
    others = tuple(f"{other}." for other in family_of(family).experts if other != expert)
    parts = {name.partition(".")[0] for name in names}
    return [name for name in names if not (expert in parts and name.startswith(others))]


def _as_alone(name: str, expert: str | None) -> str:
    """Return a tensor's name as in a file of one denoiser."""
    return f"{PREFIX}.{name.removeprefix(f'{expert}.')}" if expert and name.startswith(f"{expert}.") else name


def _alpha_of(metadata: Mapping[str, str], part: str) -> float | None:
    """Return peft's alpha, where the file tells it."""
    try:
        alpha = json.loads(metadata[METADATA_KEY])[f"{part}.lora_alpha"]
    except (KeyError, ValueError, TypeError):
        return None
    return float(alpha) if isinstance(alpha, int | float) else None


def scaled_factors(lora: Lora) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Return the factors of each layer as they count: what alpha / rank makes of a pair goes into the second one."""
    return {
        layer: (down, up if lora.alphas[layer] == len(down) else up * (lora.alphas[layer] / len(down)))
        for layer, (down, up) in lora.factors.items()
    }


def write_lora(lora: Lora, path: Path, kind: Format, family: str) -> None:
    """Write a LoRA under other names, so that it counts the same wherever it is loaded without a scale.

    Raises:
        InputError: its layers have several ranks, which peft's settings, and so diffusers' form, cannot say.
    """
    weights: dict[str, torch.Tensor] = {}
    ranks = {len(down) for down, _ in lora.factors.values()}
    for layer, (down, up) in scaled_factors(lora).items():
        name = f"{PREFIX}.{layer}" if kind == "diffusers" else ORIGINAL + _original(layer, family)
        weights |= {f"{name}.lora_A.weight": down.contiguous(), f"{name}.lora_B.weight": up.contiguous()}
    metadata = {"format": "pt"}
    if kind == "diffusers":
        if len(ranks) > 1:
            raise InputError([Problem(str(path), f"layers of the ranks {sorted(ranks)}", "one rank, or --to comfyui")])
        (rank,) = ranks
        layers = sorted({layer.split(".", 2)[2] for layer in lora.factors})
        settings = {"r": rank, "lora_alpha": rank, "target_modules": layers, "peft_type": "LORA"}
        prefixed = {f"{PREFIX}.{key}": value for key, value in settings.items()}
        metadata = {METADATA_KEY: json.dumps(prefixed, indent=2, sort_keys=True)}
    with whole_file(path) as temporary:
        save_file(weights, temporary, metadata=metadata)


def _original(layer: str, family: str) -> str:
    _, number, own = layer.split(".", 2)
    return f"blocks.{number}.{family_of(family).original_layers[own]}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert a file, and say what was written."""
    parser = argparse.ArgumentParser(prog="python -m lib.training.lora_formats", description="Rename a LoRA's layers.")
    parser.add_argument("source", type=Path, help="a LoRA under any of the names")
    parser.add_argument("target", type=Path, help="the .safetensors to write")
    parser.add_argument("--to", choices=get_args(Format), default="comfyui", help="whose names to write")
    parser.add_argument("--expert", help="of a file with a part for each of a model's denoisers, the one to write")
    parser.add_argument("--family", choices=list(FAMILIES), default="wan", help="of the model that it is for")
    given = parser.parse_args(arguments)
    experts = family_of(given.family).experts
    if given.expert and given.expert not in experts:
        parser.error(f"--expert {given.expert}; expected {nearest_known(given.expert, experts)}")
    try:
        lora = read_lora(given.source, given.family, given.expert)
        write_lora(lora, given.target, given.to, given.family)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    whose = f" of {given.expert or experts[0]}" if len(experts) > 1 else ""
    print(f"{given.target}: {len(lora.factors)} layers{whose} under {given.to}'s names")
    return 0


if __name__ == "__main__":
    sys.exit(main())
