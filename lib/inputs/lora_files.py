"""Check a LoRA file by its header, before any GPU job; torch-free, since it is asked while a run is planned.

The file is what `lib.training.lora.save_parts` writes, and diffusers' pipelines read: a safetensors file with two
factors per adapted layer, `transformer.<layer>.lora_A.weight` (rank, in) and `lora_B.weight` (out, rank), and peft's
settings. For a model of several denoisers it has a part for each, under the name of its component in place of
`transformer`, as diffusers names a pipeline's other components.

Files under the names of other programs (`lib.inputs.lora_names`) serve as well, wherever one is given; they tell no
denoisers apart, and are the first one's.
"""

import json
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lib.config.families import Features, LoraTargets
from lib.core.errors import InputError, Problem
from lib.inputs.lora_names import pair_up

PREFIX = "transformer"  # diffusers' name, in every family, for the component that a LoRA key belongs to
FACTS_PREFIX = "trained"  # of facts of our own, which diffusers passes over
METADATA_KEY = "lora_adapter_metadata"  # diffusers/loaders/lora_base.py
NEEDED_SETTINGS = ("r", "lora_alpha", "target_modules")  # without them peft takes defaults of its own
LORA_KEY = re.compile(rf"({PREFIX}\w*)\.(.+)\.lora_[AB]\.weight")

MAX_HEADER_BYTES = 100_000_000  # safetensors' own limit; the first 8 bytes of any other file say more
AGAIN = "copy or download it again"
OUR_FILE = "a LoRA file (.safetensors) that this workflow wrote"


def has_other_names(names: Iterable[str], originals: Mapping[str, str] | None) -> bool:
    """Tell whether a LoRA file is under the names of another program, or of what none uses; not under ours.

    Args:
        names: of its tensors.
        originals: `Family.original_layers`; empty or None: only our own names can be read.
    """
    return bool(originals) and not any(map(LORA_KEY.fullmatch, names))


def check_lora(
    path: Path,
    targets: LoraTargets | None,
    rank: int | None,
    trained: Collection[str] = (),
    originals: Mapping[str, str] | None = None,
) -> list[Problem]:
    """Return what is wrong with a LoRA trained earlier: one problem for each kind of mistake.

    Only the header is read, so that it takes milliseconds.

    Args:
        path: of the LoRA file.
        targets: what a LoRA of the model may adapt; None if not known, and then the layers are not compared.
        rank: that the config asks for; None if any will do.
        trained: denoisers that are trained on from it.
        originals: see `has_other_names`.
    """
    try:
        shapes, metadata = read_header(path)
        renamed = has_other_names(shapes, originals)
        parts, ranks = _pair_other_names(path, shapes, originals or {}) if renamed else _pair_factors(path, shapes)
    except InputError as error:
        return error.problems
    problems = []
    if not renamed:  # other programs' files have each alpha beside its pair, and no settings
        problems += [problem for part in parts for problem in _check_settings(path, metadata, part, ranks)]
    if targets is not None:
        problems += _check_parts(path, parts, targets)
    if lacking := [expert for expert in trained if expert not in parts]:
        expected = f"one trained for {' and '.join(trained)}, or training.experts: high_noise"
        problems.append(Problem(str(path), f"a LoRA without a part for {' and '.join(lacking)}", expected))
    if rank is not None and ranks != {rank}:
        expected = f"rank {rank} (training.rank), or training.rank set to the LoRA's"
        problems.append(Problem(str(path), f"a LoRA of rank {_listed(ranks)}", expected))
    return problems


def reused_lora(pattern: str | None, clip: str, mask: str) -> Path | None:
    """Return the LoRA of an earlier run that stage 1 of a clip takes; None where it is to be trained.

    Args:
        pattern: the config's `training.decouple_lora`, a path with {clip} and {mask} in it.
        clip, mask: what stands for these.
    """
    path = Path(pattern.format(clip=clip, mask=mask)) if pattern else None
    return path if path and path.exists() else None


def check_reused_loras(
    pattern: str | None,
    clips: Mapping[str, str],
    masks: Sequence[str],
    targets: LoraTargets | None,
    rank: int,
    trained: Collection[str] = (),
    originals: Mapping[str, str] | None = None,
) -> list[Problem]:
    """Check every LoRA of an earlier run that a run would take; that there is none at all is a mistake too.

    Args:
        pattern: see `reused_lora`.
        clips: names by id.
        masks: that the run's methods train with.
        targets, rank, trained, originals: see `check_lora`.
    """
    if pattern is None:
        return []
    paths = [(path, clips[clip]) for clip in clips for mask in masks if (path := reused_lora(pattern, clip, mask))]
    if clips and masks and not paths:
        found = f"'{pattern}', which exists for none of the {len(clips)} clips"
        example = pattern.format(clip=next(iter(clips)), mask=masks[0])
        return [Problem("training.decouple_lora", found, f"a file such as {example}, or null to train")]
    return [
        replace(problem, clip=clip)
        for path, clip in paths
        for problem in check_lora(path, targets, rank, trained, originals)
    ]


def check_extra_lora(path: Path, originals: Mapping[str, str], targets: LoraTargets | None) -> list[Problem]:
    """Return what is wrong with a LoRA beside the clip's own, by its header.

    Args:
        path: of the file.
        originals: `Family.original_layers`.
        targets: what a LoRA of the run's model may adapt; None: not known. Layers beside these are let pass.
    """
    try:
        parts, _ = _pair_other_names(path, read_header(path)[0], originals)
    except InputError as error:
        return error.problems
    return _check_sizes(path, parts[PREFIX], _known_layers(targets), targets.size) if targets else []


def read_header(path: Path) -> tuple[dict[str, tuple[int, ...]], dict[str, Any]]:
    """Read a safetensors header: 8 bytes of little-endian length, then JSON.

    Returns:
        The shape of each tensor by its name, and the file's metadata.

    Raises:
        InputError: there is no such file, it is of another format, or it is not as long as its header says.
    """
    size, length, text = _read_start(path)
    if not text.startswith(b"{"):  # safetensors demands it of the first byte
        raise _refusal(path, f"{size} bytes that are no safetensors file", OUR_FILE)
    if len(text) < length:
        raise _refusal(path, f"a file of {size} bytes that ends within its header", f"the whole file: {AGAIN}")
    try:
        header = json.loads(text)
        metadata = dict(header.pop("__metadata__", {}))
        shapes = {name: tuple(tensor["shape"]) for name, tensor in header.items()}
        whole_size = 8 + length + max((tensor["data_offsets"][1] for tensor in header.values()), default=0)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise _refusal(
            path, f"a damaged safetensors header ({error!r})", f"the file as it was written: {AGAIN}"
        ) from error
    if size != whole_size:
        raise _refusal(path, f"a file of {size} bytes", f"{whole_size} bytes, as its header says: {AGAIN}")
    return shapes, metadata


def _read_start(path: Path) -> tuple[int, int, bytes]:
    """Return a file's size, the length of the header that it announces, and what there is of that header."""
    try:
        if not path.is_file():
            raise _refusal(path, "a folder" if path.is_dir() else "no file", OUR_FILE)
        with path.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            text = opened.read(length) if length <= MAX_HEADER_BYTES else b""
        return path.stat().st_size, length, text
    except OSError as error:
        raise _refusal(path, f"a file that cannot be read ({error.strerror})", OUR_FILE) from error


def _pair_factors(path: Path, shapes: dict[str, tuple[int, ...]]) -> tuple[dict[str, Features], set[int]]:
    """Pair the two factors of each layer.

    Returns:
        The features of each adapted layer, by denoiser, and the ranks of the pairs.

    Raises:
        InputError: a tensor is no half of such a pair, or there is none at all.
    """
    parts: dict[str, Features] = {}
    ranks = set()
    for part, layer in dict.fromkeys((match[1], match[2]) for match in map(LORA_KEY.fullmatch, shapes) if match):
        down, up = (shapes.get(f"{part}.{layer}.lora_{side}.weight", ()) for side in "AB")
        if len(down) == len(up) == 2 and down[0] == up[1]:
            parts.setdefault(part, {})[layer] = down[1], up[0]
            ranks.add(down[0])
    paired = {f"{part}.{layer}.lora_{side}.weight" for part in parts for layer in parts[part] for side in "AB"}
    strays = [f"tensor {name}, shape {list(shape)}" for name, shape in shapes.items() if name not in paired]
    if strays or not parts:
        expected = (
            f"pairs {PREFIX}.<layer>.lora_A.weight (rank, in) and lora_B.weight (out, rank), as this workflow writes"
        )
        raise _refusal(path, _first_of(strays) if strays else "no tensors", expected)
    return parts, ranks


def _pair_other_names(
    path: Path, shapes: Mapping[str, tuple[int, ...]], originals: Mapping[str, str]
) -> tuple[dict[str, Features], set[int]]:
    """Pair the factors of each layer, whichever names they have, as `_pair_factors` does."""
    features, ranks, wrong = {}, set(), []
    for layer, sides in pair_up(path, shapes, originals).items():
        down, up, alpha = (shapes[sides[side]] if side in sides else () for side in ("A", "B", "alpha"))
        if len(down) == len(up) == 2 and down[0] == up[1] and math.prod(alpha) == 1:
            features[layer] = down[1], up[0]
            ranks.add(down[0])
        else:
            wrong.append(f"factors {list(down)} and {list(up)}, alpha {list(alpha)}, for {layer}")
    if wrong:
        raise _refusal(path, _first_of(wrong), "factors (rank, in) and (out, rank) and at most one alpha for a layer")
    return {PREFIX: features}, ranks


def _check_settings(path: Path, metadata: dict[str, Any], part: str, ranks: set[int]) -> list[Problem]:
    """Look for the peft settings that loading needs, and compare their rank with the weights'."""
    try:
        written = json.loads(metadata[METADATA_KEY])
        settings = {key: written[f"{part}.{key}"] for key in NEEDED_SETTINGS}
    except (ValueError, KeyError, TypeError):
        names = ", ".join(f"{part}.{key}" for key in NEEDED_SETTINGS)
        return [Problem(str(path), f"metadata without {names} in a JSON under '{METADATA_KEY}'", OUR_FILE)]
    if [settings["r"]] == sorted(ranks):
        return []
    found = f"weights of rank {_listed(ranks)} with metadata for rank {settings['r']}"
    return [Problem(str(path), found, OUR_FILE)]


def _check_parts(path: Path, parts: dict[str, Features], targets: LoraTargets) -> list[Problem]:
    """Compare each part with the model's denoisers, and its layers with theirs."""
    strange = [part for part in parts if part not in targets.experts]
    if strange:
        found = f"a part for {' and '.join(strange)}, which this model has not"
        return [Problem(str(path), found, f"a LoRA for {' and '.join(targets.experts)}")]
    return [problem for features in parts.values() for problem in _check_layers(path, features, targets)]


def _check_layers(path: Path, features: Features, targets: LoraTargets) -> list[Problem]:
    """Compare the adapted layers with the model's, in one problem."""
    known = _known_layers(targets)
    mismatches = [f"a layer {layer}" for layer in features if layer not in known]
    # Training adapts the same layers in every block: fewer blocks mean a smaller model, whose LoRA peft
    # loads with no more than a warning, the other blocks left as they are.
    kinds = {_kind(layer) for layer in features}
    mismatches += [f"no weights for {layer}" for layer in known if _kind(layer) in kinds and layer not in features]
    return _check_sizes(path, features, known, targets.size, mismatches)


def _known_layers(targets: LoraTargets) -> Features:
    return {layer: sizes for of_kind in targets.layers.values() for layer, sizes in of_kind.items()}


def _check_sizes(path: Path, features: Features, known: Features, size: str, more: Sequence[str] = ()) -> list[Problem]:
    """Compare layers that the model has with its own, in one problem with other findings."""
    mismatches = [
        f"{found[0]} -> {found[1]} features for {layer}"
        for layer, found in features.items()
        if known.get(layer, found) != found
    ]
    mismatches += more
    return [Problem(str(path), _first_of(mismatches), f"a LoRA of this model ({size})")] if mismatches else []


def _kind(layer: str) -> str:
    """Return a layer's name, but for its block's number: `blocks.7.norm.out.0` -> `blocks.*.norm.out.0`."""
    return re.sub(r"\.\d+\.", ".*.", layer, count=1)


def _first_of(findings: list[str]) -> str:
    return findings[0] if len(findings) == 1 else f"{findings[0]}, and {len(findings) - 1} more like it"


def _listed(ranks: set[int]) -> str:
    return " and ".join(str(rank) for rank in sorted(ranks))


def _refusal(path: Path, found: str, expected: str) -> InputError:
    return InputError([Problem(str(path), found, expected)])
