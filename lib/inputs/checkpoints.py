"""Find model folders before any work starts, and say how to get the ones that are missing."""

from collections.abc import Mapping
from pathlib import Path

from lib.core.errors import Problem
from lib.core.project import ROOT

FAMILY_FILES = {"wan": "model_index.json"}  # a file that each folder of a model family has
CAPTIONER_FILE = CLIP_FILE = "config.json"


def resolve_path(name: str) -> str:
    """Return the local path a model name stands for, or the name itself where it is a hub id."""
    for candidate in (Path(name), ROOT / name):
        if candidate.exists():
            return str(candidate.resolve())
    return name


def checkpoint_file(name: str, file: str) -> Path | None:
    """Return a file of a model, given as a local folder or a hub id in the local cache; None if it is not there."""
    path = Path(resolve_path(name)) / file
    if path.exists():
        return path
    if not _is_hub_id(name):
        return None
    from huggingface_hub import try_to_load_from_cache  # here: it takes a third of a second to import

    cached = try_to_load_from_cache(name, file)
    return Path(cached) if isinstance(cached, str) else None


def check_models(
    video_model: tuple[str, str],
    captioner: str,
    detectors: Mapping[str, str | None],
    clip_model: str,
    download: bool,
) -> list[Problem]:
    """Return what is wrong with the models that a run names.

    Args:
        video_model: name and family.
        captioner, clip_model: local folders or hub ids.
        detectors: a folder or weights file by key of the config; None: none is used.
        download: whether the hub may be asked at run time.
    """
    name, family = video_model
    problems = [
        _check_model("model.name", name, FAMILY_FILES[family], download),
        _check_model("caption.model", captioner, CAPTIONER_FILE, download),
        *(_check_detector(key, detector) for key, detector in detectors.items()),
        _check_model("metrics.clip_model", clip_model, CLIP_FILE, download),
    ]
    return [problem for problem in problems if problem]


def _check_model(key: str, name: str, marker: str, download: bool) -> Problem | None:
    """Look for a complete folder (it holds the file `marker`) or a hub id that may be loaded."""
    path = Path(resolve_path(name))
    if path.is_dir():
        if (path / marker).exists():
            return None
        return Problem(key, f"a folder {name} without {marker}", f"a model folder that holds {marker}")
    if path.exists():
        return Problem(key, f"{name}, which is a file", f"a model folder that holds {marker}")
    if not _is_hub_id(name):
        return Problem(key, f"'{name}', which does not exist", "a preset name, a local folder or a hub id (owner/name)")
    if download or checkpoint_file(name, marker):
        return None
    return Problem(
        key,
        f"'{name}', which is neither a local folder nor in the local hub cache",
        f"the model on this machine: run 'hf download {name}' once, or set model.download: true",
    )


def _check_detector(key: str, name: str | None) -> Problem | None:
    if name is None or Path(resolve_path(name)).exists():
        return None
    return Problem(
        key,
        f"'{name}', which does not exist",
        "a local weights file (https://github.com/ultralytics/assets/releases has yolo11x.pt), or null to follow "
        "edits by optical flow alone",
    )


def _is_hub_id(name: str) -> bool:
    owner, _, model = name.partition("/")
    return bool(owner and model) and "/" not in model and not name.startswith((".", "~"))
