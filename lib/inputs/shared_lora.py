"""The LoRA that clips start from: which clips train it, whether it is there, and whether a given one is of this run.

Torch-free, since it is asked before any work.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from lib.config.families import LoraTargets
from lib.core.errors import InputError, Problem
from lib.core.failures import read_failure
from lib.core.files import read_json_or_nothing
from lib.inputs.lora_files import FACTS_PREFIX, METADATA_KEY, check_lora, read_header

MODEL, MASK = "model", "mask"  # facts in the file: the SHA-256 of what the model's files hold, and the kind of mask
STAGES = ("extract_frames", "caption_source", "detect_objects", "encode_shared")


def choose_clips(clips: Iterable[str], number: int | None, seed: int) -> list[str]:
    """Choose the clips that a shared LoRA is trained on: at random, but the same for the same seed.

    A clip's turn depends on its id and the seed alone, so that clips added to a batch change little of the choice.

    Args:
        clips: ids of those that can be used.
        number: how many; None: all.
        seed: of the run.
    """
    return sorted(clips, key=lambda clip: hashlib.sha256(f"{seed}/{clip}".encode()).digest())[:number]


def without_failed(clips: Iterable[str], results: Path, mask: str) -> list[str]:
    """Leave out clips of which a stage that their samples need has failed in an earlier run; if all did, none."""
    clips = list(clips)
    usable = [clip for clip in clips if not any(read_failure(log) for log in _logs(results / "logs" / clip, mask))]
    return usable or clips


def _logs(folder: Path, mask: str) -> list[Path]:
    own = [folder / f"{stage}.log" for stage in STAGES[:-1]] + [folder / f"{STAGES[-1]}.{mask}.log"]
    failed = [path.with_name(path.name.replace(".failure.json", ".log")) for path in folder.glob("*/*.failure.json")]
    return own + [log for log in failed if log.name.partition(".")[0] in ("align_edit", "segment_masks")]


def model_print(files: Mapping[str, str]) -> str:
    """Return one hash for what a model's files hold, see `lib.inputs.model_files`."""
    return hashlib.sha256(json.dumps(dict(files), sort_keys=True).encode()).hexdigest()[:16]


def check_shared_loras(
    paths: Mapping[str, Path],
    targets: LoraTargets | None,
    rank: int,
    trained: Collection[str] = (),
    originals: Mapping[str, str] | None = None,
) -> list[Problem]:
    """Check the shared LoRAs that a run is given, by their headers.

    Args:
        paths: by the kind of mask that they are for.
        targets: what a LoRA of the model may adapt; None if not known.
        rank: the run's `training.rank`.
        trained: denoisers that clips train on from it.
        originals: see `lib.inputs.lora_files.has_other_names`.
    """
    problems = []
    for mask, path in paths.items():
        problems += check_lora(path, targets, rank, trained, originals)
        trained_with = read_facts(path).get(MASK, mask)
        if trained_with != mask:
            found = f"a shared LoRA trained with masks of kind {trained_with}, for methods that train with {mask}"
            problems.append(Problem(str(path), found, "a path with {mask} in it, and a LoRA for each kind"))
    return list(dict.fromkeys(problems))


def check_trained_on(paths: Mapping[str, Path], files: Mapping[str, str]) -> list[Problem]:
    """Check that given shared LoRAs were trained on this run's model; one without a word of it is taken as it is.

    Args:
        paths: as in `check_shared_loras`.
        files: what the model's files hold.
    """
    model = model_print(files)
    trained_on = {path: read_facts(path).get(MODEL, model) for path in paths.values()}
    expected = f"one trained on this run's model ({model}), or training.shared: batch"
    return [
        Problem(str(path), f"a shared LoRA trained on other weights (model {other})", expected)
        for path, other in trained_on.items()
        if files and other != model
    ]


def read_facts(path: Path) -> dict[str, str]:
    """Return what a LoRA file says of its training; nothing where it cannot be read."""
    try:
        _, metadata = read_header(path)
        written = json.loads(metadata[METADATA_KEY])
    except (InputError, ValueError, KeyError):
        return {}
    prefix = f"{FACTS_PREFIX}."
    return {key.removeprefix(prefix): str(value) for key, value in written.items() if key.startswith(prefix)}


def is_made(lora: Path, settings: Mapping[str, Any]) -> bool:
    """Tell whether a shared LoRA is there and was trained so: then it serves clips added later too.

    Args:
        lora: its file, with what made it beside it as .json.
        settings: of its stage, as its provenance has them.
    """
    made = read_json_or_nothing(lora.with_suffix(".json")) if lora.exists() else {}
    known = {"version": made.get("stage_version"), **made.get("settings", {})}
    return json.dumps(known, sort_keys=True) == json.dumps(dict(settings), sort_keys=True)
