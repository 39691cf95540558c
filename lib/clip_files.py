"""Which files belong to which clip and edit: the clips folder, as found.

Only what the layout itself says is judged here; `lib.clips` judges what the files hold.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lib.errors import Problem, nearest_known

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".f4v", ".flv", ".mkv", ".webm", ".avi", ".divx", ".wmv", ".asf"),
    *(".mpg", ".mpeg", ".m2v", ".ts", ".mts", ".m2ts", ".vob", ".mxf", ".dv", ".ogv", ".ogg", ".rm", ".rmvb"),
    *(".ivf", ".nut", ".y4m", ".gif"),
)
IGNORED_NAMES = {"thumbs.db", "desktop.ini", "__macosx"}  # left behind by file managers; dot-files too
NEAR_MISSES = {
    "references": "references",
    "reference": "references",
    "refs": "references",
    "mask": "mask",
    "masks": "mask",
    "mask.png": "mask/00000.png",
    **{f"masks{suffix}": f"mask{suffix}" for suffix in VIDEO_SUFFIXES},
    "edit.yaml": "edit.yaml",
    "edit.yml": "edit.yaml",
    "edit.json": "edit.yaml",
}
"""What is meant by names that would else be passed over in silence; keys are case-folded."""

IMAGE_KINDS = "one of " + ", ".join(IMAGE_SUFFIXES)
Text = Annotated[str, Field(min_length=1)]


class EditSettings(BaseModel):
    """What edit.yaml, or a row of the sheet, may say of an edit."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    prompt: Text | None = Field(default=None, description="text that describes the edited video")
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = Field(default=None, description="a whole number, 0 or more")
    lora_scale: Annotated[float, Field(ge=0, le=4)] | None = Field(
        default=None, description="a number from 0 to 4, the strength of the LoRA"
    )
    classes: Annotated[list[Text], Field(min_length=1)] | None = Field(
        default=None, description="a list of detector classes, such as [car, person]"
    )


@dataclass(frozen=True)
class EditFiles:
    """The files of one edit; `masks` is None where the user gave no folder, `place` is its folder or row."""

    name: str
    place: str
    first_frames: tuple[Path, ...] = ()
    references: tuple[Path, ...] = ()
    masks: tuple[Path, ...] | None = None
    mask_videos: tuple[Path, ...] = ()
    settings: EditSettings = EditSettings()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class ClipFiles:
    """The files of one clip."""

    name: str
    place: str
    sources: tuple[Path, ...] = ()
    edits: tuple[EditFiles, ...] = ()
    problems: tuple[Problem, ...] = ()


def read_folder(clips: Path) -> tuple[list[ClipFiles], list[Problem]]:
    """Find the clips of a folder, and the problems that belong to no clip."""
    try:
        entries, links = list_folder(clips, clips)
    except OSError as error:
        return [], [unreadable_folder(error, clips, clips)]
    problems = []
    for path in entries:
        if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file():
            expected = f"each video in a folder of its own: {path.stem}/source{path.suffix}"
            problems.append(Problem(path.name, "a video beside the clips' folders", expected))
    found = [_read_clip(path, clips) for path in entries if path.is_dir()]
    found += [ClipFiles(link.place, link.place, problems=(link,)) for link in links]
    if not found and not problems:
        expected = "a folder for each clip, such as car-turn/source.mp4 and car-turn/edits/red-car/first_frame.png"
        problems.append(Problem(str(clips), "a folder without clips", expected))
    return found, problems


def list_folder(folder: Path, root: Path | None) -> tuple[list[Path], list[Problem]]:
    """Return a folder's visible entries by name, without the links that lead out of `root` or nowhere.

    Args:
        root: the clips folder; None where links may lead anywhere (the files of a sheet).

    Raises:
        OSError: it is no folder, or may not be read.
    """
    paths, problems = [], []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith(".") or entry.name.casefold() in IGNORED_NAMES:
                continue
            path = folder / entry.name
            target = _bad_link(path, root) if root is not None and entry.is_symlink() else None
            if target is None:
                paths.append(path)
            else:
                expected = "the file or folder itself, or a link within the clips folder"
                problems.append(Problem(place_of(path, root), target, expected))
    return paths, problems


def list_images(folder: Path, root: Path | None, base: Path) -> tuple[tuple[Path, ...], list[Problem]]:
    """Return the images of a folder of numbered images; anything else visible in it is a problem."""
    paths, problems = list_folder(folder, root)
    images = tuple(path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES)
    for path in paths:
        if path not in images:
            problems.append(Problem(place_of(path, base), "a file that is no image", f"images, {IMAGE_KINDS}"))
    return images, problems


def place_of(path: Path, base: Path | None) -> str:
    """Name a file as the user knows it: relative to the clips (or the sheet's) folder where it lies inside."""
    return str(path.relative_to(base)) if base is not None and path.is_relative_to(base) else str(path)


def unreadable_folder(error: OSError, folder: Path, base: Path) -> Problem:
    """Say that a folder, or what stands in a folder's stead, cannot be listed."""
    place = place_of(Path(error.filename or folder), base)
    return Problem(place, f"what cannot be read as a folder ({error.strerror})", "a readable folder")


def settings_problems(error: ValidationError, place: str) -> list[Problem]:
    """Turn what pydantic says of EditSettings into problems that name the key."""
    return [_settings_problem(details, place) for details in error.errors()]


def _settings_problem(details: Any, place: str) -> Problem:
    if not details["loc"]:
        return Problem(place, repr(details["input"]), "keys and values, such as 'seed: 3'")
    key = str(details["loc"][0])
    if key not in EditSettings.model_fields:
        return Problem(place, f"an unknown key '{key}'", nearest_known(key, sorted(EditSettings.model_fields)))
    expected = EditSettings.model_fields[key].description
    return Problem(f"{place}, key '{key}'", repr(details["input"]), str(expected))


def _bad_link(path: Path, root: Path) -> str | None:
    """Tell what is wrong with a symbolic link, if anything."""
    target = Path(os.path.realpath(path))
    if not target.is_relative_to(os.path.realpath(root)):
        return "a symbolic link that leads out of the clips folder"
    return None if path.exists() else "a symbolic link that leads nowhere"


def _read_clip(folder: Path, root: Path) -> ClipFiles:
    edits_folder = folder / "edits"
    try:
        entries, problems = list_folder(folder, root)
        edit_folders, links = list_folder(edits_folder, root) if edits_folder in entries else ([], [])
    except OSError as error:
        return ClipFiles(folder.name, folder.name, problems=(unreadable_folder(error, folder, root),))
    sources = _named("source", VIDEO_SUFFIXES, entries)
    edits = [_read_edit(path, root) for path in edit_folders if path.is_dir()]
    edits += [EditFiles(Path(link.place).name, link.place, problems=(link,)) for link in links]
    if not problems:  # a link that leads out may be just what is missing: one problem for it is enough
        problems = _missing_in_clip(folder, entries, bool(sources), bool(edits))
    return ClipFiles(folder.name, folder.name, sources, tuple(edits), tuple(problems))


def _missing_in_clip(folder: Path, entries: list[Path], has_source: bool, has_edits: bool) -> list[Problem]:
    problems = []
    if not has_source:
        found = f"no source video {_among(entries)}"
        expected = "a video named source, such as source.mp4"
        if any(path.stem == "source" for path in entries):
            expected = f"source with the suffix of a video: {', '.join(VIDEO_SUFFIXES)}"
        problems.append(Problem(folder.name, found, expected))
    if not has_edits:
        expected = "a folder for each edit, such as edits/red-car/first_frame.png"
        problems.append(Problem(f"{folder.name}/edits", f"no edits {_among(entries)}", expected))
    return problems


def _among(entries: list[Path]) -> str:
    names = [path.name for path in entries[:5]] + ["..."] * (len(entries) > 5)
    return f"(the folder holds {', '.join(names)})" if names else "(the folder is empty)"


def _read_edit(folder: Path, root: Path) -> EditFiles:
    place = place_of(folder, root)
    try:
        entries, problems = list_folder(folder, root)
        names = {path.name: path for path in entries}
        references, more = list_images(names["references"], root, root) if "references" in names else ((), [])
        masks, even_more = list_images(names["mask"], root, root) if "mask" in names else (None, [])
    except OSError as error:
        return EditFiles(folder.name, place, problems=(unreadable_folder(error, folder, root),))
    settings, wrong_settings = _read_settings(names.get("edit.yaml"), f"{place}/edit.yaml")
    first_frames = _named("first_frame", IMAGE_SUFFIXES, entries)
    mask_videos = _named("mask", VIDEO_SUFFIXES, entries)
    problems += more + even_more + wrong_settings + _near_misses(names, place)
    if not first_frames and not problems:
        expected = f"first_frame.png (or {IMAGE_KINDS})"
        problems.append(Problem(place, f"no edited first frame {_among(entries)}", expected))
    return EditFiles(folder.name, place, first_frames, references, masks, mask_videos, settings, tuple(problems))


def _named(stem: str, suffixes: tuple[str, ...], entries: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(path for path in entries if path.stem == stem and path.suffix.lower() in suffixes)


def _near_misses(names: Iterable[str], place: str) -> list[Problem]:
    meant = {name: NEAR_MISSES.get(name.casefold(), name) for name in names}
    return [Problem(f"{place}/{name}", f"'{name}'", f"'{right}'") for name, right in meant.items() if name != right]


def _read_settings(path: Path | None, place: str) -> tuple[EditSettings, list[Problem]]:
    if path is None:
        return EditSettings(), []
    try:
        # The loader written in C: the one in Python takes half a second for a thousand files.
        content = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
        return EditSettings.model_validate({} if content is None else content), []
    except ValidationError as error:
        return EditSettings(), settings_problems(error, place)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        return EditSettings(), [Problem(place + line, f"a file that is not YAML ({reason})", "lines of 'key: value'")]
    except OSError as error:
        return EditSettings(), [Problem(place, f"a file that cannot be read ({error.strerror})", "a text file")]
