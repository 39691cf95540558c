"""Read and write LoRA files under the names that other programs use.

`lib.inputs.lora_names` says which there are.

    python -m lib.training.lora_formats FROM TO --to comfyui

Other programs have a file for each denoiser of a model of several: `--expert` names the part of ours to write. The
other way, two of theirs become one of ours, which `training.decouple_lora` and `training.shared` take for both:

    python -m lib.training.lora_formats HIGH TO --low-noise LOW --to diffusers --family wan22
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from lib.config.families import FAMILIES, family_of
from lib.config.training_sections import LoraFormat
from lib.core.errors import InputError, Problem, nearest_known
from lib.core.files import whole_file
from lib.inputs.lora_files import METADATA_KEY, PREFIX, has_other_names, read_header
from lib.inputs.lora_names import ORIGINAL, pair_up


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
        tensors = {_as_alone(name, expert): opened.get_tensor(name) for name in names}
        metadata = opened.metadata() or {}
    return _gather(path, tensors, _alpha_of(metadata, expert or PREFIX), family_of(family).original_layers)


def _gather(
    path: Path, tensors: Mapping[str, torch.Tensor], own_alpha: float | None, originals: Mapping[str, str]
) -> Lora:
    """Pair tensors up; a pair without an alpha beside it has the file's, or else counts in full."""
    found = {
        layer: {side: tensors[name] for side, name in sides.items()}
        for layer, sides in pair_up(path, tensors, originals).items()
    }
    alphas = {
        layer: float(sides["alpha"]) if "alpha" in sides else own_alpha or float(len(sides["A"]))
        for layer, sides in found.items()
    }
    return Lora({layer: (sides["A"], sides["B"]) for layer, sides in found.items()}, alphas)


def list_parts(path: Path, originals: Mapping[str, str] | None) -> list[str]:
    """List the denoisers that a LoRA file has a part for, unread; see `read_adapter`."""
    with safe_open(path, framework="pt") as opened:
        names = list(opened.keys())
    return [PREFIX] if has_other_names(names, originals) else sorted({name.partition(".")[0] for name in names})


def read_adapter(
    path: Path, part: str, originals: Mapping[str, str] | None
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read what diffusers' `load_lora_adapter` needs of a LoRA file, under whichever names.

    Another program's file gives what a file of ours with the same factors and alpha does, so that a training goes on
    from either with the same bits.

    Args:
        path: of the file.
        part: the denoiser whose LoRA is read; other programs' files have the first one's alone.
        originals: see `has_other_names`.

    Returns:
        Its tensors, and peft's settings, both under the name of the part; no tensors where the file has none of it.

    Raises:
        InputError: what is under other names is no LoRA of the family, or has several ranks.
    """
    with safe_open(path, framework="pt") as opened:
        names, metadata = list(opened.keys()), opened.metadata() or {}
        others = has_other_names(names, originals)
        tensors = {name: opened.get_tensor(name) for name in names if others or name.startswith(f"{part}.")}
    if not others:
        return tensors, json.loads(metadata[METADATA_KEY])
    if part != PREFIX:
        return {}, {}
    exact = {name: tensor.float() for name, tensor in tensors.items()}  # an alpha may have to go into a factor
    lora = _gather(path, exact, _alpha_of(metadata, PREFIX), originals or {})
    alphas = set(lora.alphas.values())
    if len(alphas) == 1:
        return _named_factors(lora.factors), _peft_settings(path, lora, alphas.pop())
    return _named_factors(scaled_factors(lora)), _peft_settings(path, lora, None)


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


def write_lora(lora: Lora, path: Path, kind: LoraFormat, family: str) -> None:
    """Write a LoRA under other names, so that it counts the same wherever it is loaded without a scale.

    Raises:
        InputError: its layers have several ranks, which peft's settings, and so diffusers' form, cannot say.
    """
    if kind == "diffusers":
        write_parts({PREFIX: lora}, path)
        return
    factors = {_original(layer, family): pair for layer, pair in scaled_factors(lora).items()}
    with whole_file(path) as temporary:
        save_file(_named_factors(factors, ORIGINAL), temporary, metadata={"format": "pt"})


def write_parts(loras: Mapping[str, Lora], path: Path) -> None:
    """Write LoRAs under diffusers' names into one file, as `lib.training.lora.save_parts` does, alpha in the weights.

    Args:
        loras: by the denoiser that each is for.
        path: of the file.

    Raises:
        InputError: see `write_lora`.
    """
    weights: dict[str, torch.Tensor] = {}
    settings: dict[str, Any] = {}
    for part, lora in loras.items():
        weights |= _named_factors(scaled_factors(lora), f"{part}.")
        settings |= _peft_settings(path, lora, None, part)
    with whole_file(path) as temporary:
        save_file(weights, temporary, metadata={METADATA_KEY: json.dumps(settings, indent=2, sort_keys=True)})


def _named_factors(
    factors: Mapping[str, tuple[torch.Tensor, torch.Tensor]], prefix: str = f"{PREFIX}."
) -> dict[str, torch.Tensor]:
    """Name both factors of each layer as a file has them."""
    return {
        f"{prefix}{layer}.lora_{side}.weight": factor.contiguous()
        for layer, pair in factors.items()
        for side, factor in zip("AB", pair, strict=True)
    }


def _peft_settings(path: Path, lora: Lora, alpha: float | None, part: str = PREFIX) -> dict[str, Any]:
    """Return peft's settings of a LoRA as diffusers' metadata has them.

    Args:
        path: for errors.
        lora: of one rank.
        alpha: of all its layers; None: the rank.
        part: the denoiser that it is for.

    Raises:
        InputError: its layers have several ranks.
    """
    ranks = {len(down) for down, _ in lora.factors.values()}
    if len(ranks) > 1:
        raise InputError([Problem(str(path), f"layers of the ranks {sorted(ranks)}", "one rank, or --to comfyui")])
    (rank,) = ranks
    layers = sorted({layer.split(".", 2)[2] for layer in lora.factors})
    settings = {"r": rank, "lora_alpha": alpha or rank, "target_modules": layers, "peft_type": "LORA"}
    return {f"{part}.{key}": value for key, value in settings.items()}


def _original(layer: str, family: str) -> str:
    _, number, own = layer.split(".", 2)
    return f"blocks.{number}.{family_of(family).original_layers[own]}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert a file, and say what was written."""
    parser = argparse.ArgumentParser(prog="python -m lib.training.lora_formats", description="Rename a LoRA's layers.")
    parser.add_argument("source", type=Path, help="a LoRA under any of the names")
    parser.add_argument("target", type=Path, help="the .safetensors to write")
    parser.add_argument("--to", choices=get_args(LoraFormat), default="comfyui", help="whose names to write")
    parser.add_argument("--expert", help="of a file with a part for each of a model's denoisers, the one to write")
    parser.add_argument("--low-noise", type=Path, metavar="LOW", help="of two of another program, that of low noise")
    parser.add_argument("--family", choices=list(FAMILIES), default="wan", help="of the model that it is for")
    given = parser.parse_args(arguments)
    experts = family_of(given.family).experts
    if given.expert and given.expert not in experts:
        parser.error(f"--expert {given.expert}; expected {nearest_known(given.expert, experts)}")
    if given.low_noise and (len(experts) == 1 or given.to != "diffusers" or given.expert):
        parser.error("--low-noise; expected with --to diffusers, a --family of two experts and no --expert")
    try:
        lora = read_lora(given.source, given.family, given.expert)
        if given.low_noise:
            both = [lora, read_lora(given.low_noise, given.family)]
            write_parts(dict(zip(experts, both, strict=True)), given.target)
        else:
            write_lora(lora, given.target, given.to, given.family)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    written = experts if given.low_noise else [given.expert or experts[0]]
    whose = f" of {' and of '.join(written)}" if len(experts) > 1 else ""
    print(f"{given.target}: {len(lora.factors)} layers{whose} under {given.to}'s names")
    return 0


if __name__ == "__main__":
    sys.exit(main())
