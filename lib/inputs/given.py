"""What a user gave of a clip and of an edit: files by their role, and settings; not yet looked into."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lib.core.errors import Problem, nearest_known
from lib.core.text import brief

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".f4v", ".flv", ".mkv", ".webm", ".avi", ".divx", ".wmv", ".asf"),
    *(".mpg", ".mpeg", ".m2v", ".ts", ".mts", ".m2ts", ".vob", ".mxf", ".dv", ".ogv", ".ogg", ".rm", ".rmvb"),
    *(".ivf", ".nut", ".y4m", ".gif"),
)

IGNORED_NAMES = {
    *("thumbs.db", "desktop.ini", "__macosx"),
    *("@eadir", "#recycle", "@recycle", "#snapshot", "@snapshot", "$recycle.bin", "system volume information"),
    *("lost+found", "network trash folder", "temporary items", "recycler", "@tmp"),
}
"""Left behind by file managers and network disks, in lower case; what begins with a dot is passed over too."""

IMAGE_KINDS = "one of " + ", ".join(IMAGE_SUFFIXES)
Text = Annotated[str, Field(min_length=1)]
SourceIndex = Annotated[int, Field(ge=0, lt=2**31)]


class EditSettings(BaseModel):
    """What edit.yaml, or a row of the sheet, may say of an edit."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    instruction: Text | None = Field(
        default=None, description="what to change in the first frame, in words, in place of an edited one"
    )
    reference_instructions: Annotated[dict[SourceIndex, Text], Field(min_length=1)] | None = Field(
        default=None,
        description="what to change in later frames, by their 0-based source index, such as {24: make the car red}",
    )
    prompt: Text | None = Field(default=None, description="text that describes the edited video")
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = Field(default=None, description="a whole number, 0 or more")
    lora_scale: Annotated[float, Field(ge=0, le=4)] | None = Field(
        default=None, description="a number from 0 to 4, the strength of the LoRA"
    )
    negative_prompt: str | None = Field(default=None, description="text that guidance steers away from")
    num_steps: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="a whole number from 1 to 1000, the denoising steps"
    )
    guidance: Annotated[float, Field(ge=1, le=100)] | None = Field(
        default=None, description="a number from 1 to 100, the guidance scale"
    )
    classes: Annotated[list[Text], Field(min_length=1)] | None = Field(
        default=None, description="a list of detector classes, such as [car, person]"
    )

    def with_instruction_of_run(self, instruction: str | None, has_first_frame: bool) -> Self:
        """Return the settings with the run's instruction, where there is neither one nor a first frame."""
        return self if has_first_frame or self.instruction else self.model_copy(update={"instruction": instruction})


@dataclass(frozen=True)
class EditFiles:
    """The files of one edit; `masks` is None where the user gave no folder, `place` is its folder or row.

    `outside` are videos that other tools made for it, each with the name of its method. `settings.instruction` is the
    edit's own, or the run's where it has neither one nor a first frame.
    """

    name: str
    place: str
    first_frames: tuple[Path, ...] = ()
    references: tuple[Path, ...] = ()
    masks: tuple[Path, ...] | None = None
    mask_videos: tuple[Path, ...] = ()
    settings: EditSettings = EditSettings()
    problems: tuple[Problem, ...] = ()
    outside: tuple[tuple[str, Path], ...] = ()


@dataclass(frozen=True)
class ClipFiles:
    """The files of one clip."""

    name: str
    place: str
    sources: tuple[Path, ...] = ()
    edits: tuple[EditFiles, ...] = ()
    problems: tuple[Problem, ...] = ()


def list_folder(folder: Path, root: Path | None) -> tuple[list[Path], list[Problem]]:
    """Return the paths of `list_entries`."""
    entries, problems = list_entries(folder, root)
    return [folder / entry.name for entry in entries], problems


def list_entries(folder: Path, root: Path | None) -> tuple[list["os.DirEntry[str]"], list[Problem]]:
    """Return a folder's visible entries by name, without the links that lead out of `root` or nowhere.

    What an entry is, a folder or a file, the listing itself tells: no file is touched for it, but for links.

    Args:
        root: the clips folder; None where links may lead anywhere (the files of a sheet).

    Raises:
        OSError: it is no folder, or may not be read.
    """
    good, problems = [], []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith(".") or entry.name.casefold() in IGNORED_NAMES:
                continue
            path = folder / entry.name
            target = _bad_link(path, root) if root is not None and entry.is_symlink() else None
            if target is None:
                good.append(entry)
            else:
                expected = "the file or folder itself, or a link within the clips folder"
                problems.append(Problem(place_of(path, root), target, expected))
    return good, problems


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
    try:
        return str(path) if base is None else str(path.relative_to(base))
    except ValueError:
        return str(path)


def unreadable_folder(error: OSError, folder: Path, base: Path) -> Problem:
    """Say that a folder, or what stands in a folder's stead, cannot be listed."""
    place = place_of(Path(error.filename or folder), base)
    return Problem(place, f"what cannot be read as a folder ({error.strerror})", "a readable folder")


def settings_problems(error: ValidationError, place: str) -> list[Problem]:
    """Turn what pydantic says of EditSettings into problems that name the key, one for each, however long its value."""
    first: dict[Any, Any] = {}
    for details in error.errors():
        first.setdefault(details["loc"][:1], details)
    return [_settings_problem(details, place) for details in first.values()]


def _settings_problem(details: Any, place: str) -> Problem:
    if not details["loc"]:
        return Problem(place, brief(details["input"]), "keys and values, such as 'seed: 3'")
    key = str(details["loc"][0])
    if key not in EditSettings.model_fields:
        return Problem(place, f"an unknown key {brief(key)}", nearest_known(key, sorted(EditSettings.model_fields)))
    expected = EditSettings.model_fields[key].description
    return Problem(f"{place}, key '{key}'", brief(details["input"]), str(expected))


def _bad_link(path: Path, root: Path) -> str | None:
    """Tell what is wrong with a symbolic link, if anything."""
    target = Path(os.path.realpath(path))
    if not target.is_relative_to(os.path.realpath(root)):
        return "a symbolic link that leads out of the clips folder"
    return None if path.exists() else "a symbolic link that leads nowhere"
