"""Find model folders before any work starts: how to get a missing one, and which are none of their family."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from lib.config.editor_section import EDITOR_PIPELINES
from lib.config.families import FAMILIES, Family, LoraTargets, family_of
from lib.config.score_sections import BACKGROUND_SCORES
from lib.core.errors import InputError, Problem
from lib.core.project import ROOT

PIPELINE_FILE, TRANSFORMER_FILE = "model_index.json", "transformer/config.json"  # of every folder in diffusers layout
CAPTIONER_FILE = CLIP_FILE = "config.json"
VACE_PIPELINE = "WanVACEPipeline"


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
    captioner: str | None,
    detectors: Mapping[str, str | None],
    clip_model: str,
    download: bool,
) -> list[Problem]:
    """Return what is wrong with the models that a run names.

    Args:
        video_model: name and family.
        captioner, clip_model: local folders or hub ids; None: none is used.
        detectors: a folder or weights file by key of the config; None: none is used.
        download: whether the hub may be asked at run time.
    """
    problems = [
        _check_video_model(*video_model, download),
        _check_model("caption.model", captioner, CAPTIONER_FILE, download) if captioner else None,
        *(_check_detector(key, detector) for key, detector in detectors.items()),
        _check_model("metrics.clip_model", clip_model, CLIP_FILE, download),
    ]
    return [problem for problem in problems if problem]


def check_scores(scores: Mapping[str, str | None], download: bool) -> list[Problem]:
    """Return what is wrong with the weights of further scores.

    Args:
        scores: a folder, file or hub id for each score that is wanted; None: it is not.
        download: whether the hub may be asked at run time.
    """
    problems = []
    for name, weights in scores.items():
        key = f"scores.{name}"
        if weights is None:
            continue
        if name in BACKGROUND_SCORES:
            path, expected = Path(resolve_path(weights)), "a .safetensors file of its weights, see docs/scores.md"
            if not path.is_file() or path.suffix != ".safetensors":
                problems.append(Problem(key, f"'{weights}', which is no such file", expected))
        elif name == "deqa":
            folder, expected = Path(resolve_path(weights)), "a folder of DeQA-Score's weights, see docs/scores.md"
            if not (folder / CLIP_FILE).is_file():
                problems.append(Problem(key, f"'{weights}', which holds no {CLIP_FILE}", expected))
            elif not any(folder.glob("*.safetensors")):
                problems.append(Problem(key, f"'{weights}' without safetensors", expected))
        elif problem := _check_model(key, weights, CLIP_FILE, download):
            problems.append(problem)
    return problems


def check_vace(name: str | None, is_used: bool, download: bool) -> list[Problem]:
    """Return what is wrong with the VACE model of a run.

    Args:
        name: a folder or hub id; None: none is named.
        is_used: by one of the run's methods.
        download: whether the hub may be asked at run time.
    """
    expected = "a folder or hub id of a WanVACEPipeline, such as Wan-AI/Wan2.1-VACE-1.3B-diffusers"
    if name is None:
        return [Problem("vace.name", "none, for the method that needs it", expected)] if is_used else []
    return _check_pipeline("vace.name", name, (VACE_PIPELINE,), expected, download)


def check_editor(names: Mapping[str, str | None], is_used: bool, download: bool) -> list[Problem]:
    """Return what is wrong with the models that make first frames of instructions.

    Args:
        names: `model` and `clip_model` of the section; None: none is named.
        is_used: whether an edit is given as an instruction.
        download: whether the hub may be asked at run time.
    """
    expected = f"a folder or hub id of a {', '.join(EDITOR_PIPELINES[:-1])} or {EDITOR_PIPELINES[-1]}"
    problems = []
    if names["model"]:
        problems += _check_pipeline("editor.model", names["model"], EDITOR_PIPELINES, expected, download)
    elif is_used:
        problems.append(Problem("editor.model", "none, for edits that are given as instructions", expected))
    missing = (
        _check_model("editor.clip_model", names["clip_model"], CLIP_FILE, download) if names["clip_model"] else None
    )
    return [*problems, missing] if missing else problems


def _check_pipeline(key: str, name: str, kinds: Collection[str], expected: str, download: bool) -> list[Problem]:
    """Look for a model, and whether its model_index.json names one of some pipelines."""
    if missing := _check_model(key, name, PIPELINE_FILE, download):
        return [missing]
    index = checkpoint_file(name, PIPELINE_FILE)
    try:
        kind = str(read_config(index).get("_class_name")) if index else None
    except InputError as error:
        return error.problems
    return [] if kind is None or kind in kinds else [Problem(key, f"'{name}', which is a {kind}", expected)]


def read_lora_targets(name: str, family: Family) -> LoraTargets | None:
    """Return what a LoRA of a model may adapt; None where the model is not on this machine.

    Raises:
        InputError: the config of its transformer cannot be read as one of that family.
    """
    path = checkpoint_file(name, TRANSFORMER_FILE)
    if path is None:
        return None
    config = read_config(path)
    try:
        return family.lora_targets(config)
    except (KeyError, TypeError) as error:
        found, expected = f"a config that does not tell the layers ({error!r})", f"that of a {family.pipeline}"
        raise InputError([Problem(str(path), found, expected)]) from error


def _check_video_model(name: str, family_name: str, download: bool) -> Problem | None:
    """Look for the model, and whether it is one of its family: another one's weights would load only in part."""
    missing = _check_model("model.name", name, PIPELINE_FILE, download)
    index = checkpoint_file(name, PIPELINE_FILE)
    if missing or index is None:
        return missing
    try:
        pipeline, family = read_config(index), family_of(family_name)
        strange = _what_is_strange(pipeline, family)
        if strange:
            found = f"'{name}', which {index} calls a {strange}"
            return Problem("model.name", found, _describe_family(family_name, pipeline))
        read_lora_targets(name, family)
    except InputError as error:
        return error.problems[0]
    return None


def _what_is_strange(pipeline: Mapping[str, Any], family: Family) -> str | None:
    """Say what a model folder is, by its model_index.json, if it is not one of a family."""
    kind = str(pipeline.get("_class_name", "pipeline without a _class_name"))
    if kind not in (family.pipeline, *family.other_pipelines):
        return kind
    # Each component is listed with the library and the class that load it; null, where a pipeline may lack one.
    listed = {name for name, loader in pipeline.items() if isinstance(loader, list) and all(loader)}
    strangers = [f"with {name}, {family.foreign[name]}" for name in sorted(listed & family.foreign.keys())]
    strangers += [f"without {name}" for name in sorted(family.components - listed)]
    wrong_marks = [name for name, is_set in sorted(family.marks.items()) if bool(pipeline.get(name)) != is_set]
    strangers += [f"with{'out' if family.marks[name] else ''} {name}" for name in wrong_marks]
    return f"{kind} {', '.join(strangers)}" if strangers else None


def _describe_family(name: str, pipeline: Mapping[str, Any]) -> str:
    """Say what a model folder of a family is; and which family another pipeline belongs to, if to any."""
    family = family_of(name)
    others = [other for other in sorted(FAMILIES) if not _what_is_strange(pipeline, family_of(other))]
    marks = [mark for mark, is_set in sorted(family.marks.items()) if is_set]
    kinds = " or ".join((family.pipeline, *family.other_pipelines))
    own = f"a {kinds} with {', '.join([*sorted(family.components), *marks])}, which model.family {name} runs"
    return f"{own}, or model.family: {others[0]}" if others else own


def read_config(path: Path) -> dict[str, Any]:
    """Read a JSON object of a model folder.

    Raises:
        InputError: it is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            [Problem(str(path), f"a file that cannot be read ({error})", "the model's own JSON")]
        ) from error
    if not isinstance(content, dict):
        raise InputError([Problem(str(path), "a JSON that holds no names", "the model's own JSON")])
    return content


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
