"""Which files belong to which clip and edit: the clips folder, as found.

Only what the layout itself says is judged here; `lib.inputs.clips` judges what the files hold.
"""

from collections.abc import Collection, Iterable
from pathlib import Path

import yaml
from pydantic import ValidationError

from lib.core.errors import Problem
from lib.core.yaml_files import describe_no_yaml, read_yaml
from lib.inputs.given import (
    IMAGE_KINDS,
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    ClipFiles,
    EditFiles,
    EditSettings,
    list_entries,
    list_folder,
    list_images,
    place_of,
    settings_problems,
    unreadable_folder,
)
from lib.inputs.ids import OF_CLIPS, names_of_ids

NEAR_MISSES = {
    "references": "references",
    "reference": "references",
    "refs": "references",
    "mask": "mask",
    "masks": "mask",
    "mask.png": "mask/00000.png",
    **{f"masks{suffix}": f"mask{suffix}" for suffix in VIDEO_SUFFIXES},
    "outside": "outside",
    "edit.yaml": "edit.yaml",
    "edit.yml": "edit.yaml",
    "edit.json": "edit.yaml",
}
"""What is meant by names that would else be passed over in silence; keys are case-folded."""


INSTRUCTED = "instructed"  # the edit of a clip that has none, in a run with an instruction for all


def read_folder(
    clips: Path, only: Collection[str] | None = None, instruction: str | None = None
) -> tuple[list[ClipFiles], list[Problem]]:
    """Find the clips of a folder, and the problems that belong to no clip.

    Args:
        only: ids of the clips to look into; of the others there is the name alone. None: all.
        instruction: of edits that have neither a first frame nor one of their own, and of clips without edits.
    """
    try:
        entries, links = list_entries(clips, clips)
    except OSError as error:
        return [], [unreadable_folder(error, clips, clips)]
    problems = []
    for entry in entries:
        path = clips / entry.name
        if path.suffix.lower() in VIDEO_SUFFIXES and entry.is_file():
            expected = f"each video in a folder of its own: {path.stem}/source{path.suffix}"
            problems.append(Problem(path.name, "a video beside the clips' folders", expected))
    names = [entry.name for entry in entries if entry.is_dir()]
    wanted = names_of_ids([*names, *(link.place for link in links)], only, OF_CLIPS)
    found = [
        _read_clip(clips / name, clips, instruction) if name in wanted else ClipFiles(name, name) for name in names
    ]
    found += [ClipFiles(link.place, link.place, problems=(link,)) for link in links]
    if not found and not problems:
        expected = "a folder for each clip, such as car-turn/source.mp4 and car-turn/edits/red-car/first_frame.png"
        problems.append(Problem(str(clips), "a folder without clips", expected))
    return found, problems


def _read_clip(folder: Path, root: Path, instruction: str | None) -> ClipFiles:
    edits_folder = folder / "edits"
    try:
        entries, problems = list_folder(folder, root)
        edit_folders, links = list_folder(edits_folder, root) if edits_folder in entries else ([], [])
    except OSError as error:
        return ClipFiles(folder.name, folder.name, problems=(unreadable_folder(error, folder, root),))
    sources = _named("source", VIDEO_SUFFIXES, entries)
    edits = [_read_edit(path, root, instruction) for path in edit_folders if path.is_dir()]
    edits += [EditFiles(Path(link.place).name, link.place, problems=(link,)) for link in links]
    if instruction and not edits:
        edits = [EditFiles(INSTRUCTED, folder.name, settings=EditSettings(instruction=instruction))]
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


def _read_edit(folder: Path, root: Path, instruction: str | None) -> EditFiles:
    place = place_of(folder, root)
    try:
        entries, problems = list_folder(folder, root)
        names = {path.name: path for path in entries}
        references, more = list_images(names["references"], root, root) if "references" in names else ((), [])
        masks, even_more = list_images(names["mask"], root, root) if "mask" in names else (None, [])
        outside, wrong_links = list_folder(names["outside"], root) if "outside" in names else ([], [])
    except OSError as error:
        return EditFiles(folder.name, place, problems=(unreadable_folder(error, folder, root),))
    settings, wrong_settings = _read_settings(names.get("edit.yaml"), f"{place}/edit.yaml")
    first_frames = _named("first_frame", IMAGE_SUFFIXES, entries)
    mask_videos = _named("mask", VIDEO_SUFFIXES, entries)
    problems += more + even_more + wrong_links + wrong_settings + _near_misses(names, place)
    settings = settings.with_instruction_of_run(instruction, bool(first_frames))
    if not first_frames and not settings.instruction and not problems:
        expected = f"first_frame.png (or {IMAGE_KINDS}), or an instruction in edit.yaml"
        problems.append(Problem(place, f"no edited first frame {_among(entries)}", expected))
    by_method = tuple((path.stem, path) for path in outside)
    return EditFiles(
        folder.name, place, first_frames, references, masks, mask_videos, settings, tuple(problems), by_method
    )


def _named(stem: str, suffixes: tuple[str, ...], entries: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(path for path in entries if path.stem == stem and path.suffix.lower() in suffixes)


def _near_misses(names: Iterable[str], place: str) -> list[Problem]:
    meant = {name: NEAR_MISSES.get(name.casefold(), name) for name in names}
    return [Problem(f"{place}/{name}", f"'{name}'", f"'{right}'") for name, right in meant.items() if name != right]


def _read_settings(path: Path | None, place: str) -> tuple[EditSettings, list[Problem]]:
    if path is None:
        return EditSettings(), []
    try:
        content = read_yaml(path)
        return EditSettings.model_validate({} if content is None else content), []
    except ValidationError as error:
        return EditSettings(), settings_problems(error, place)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line, reason = describe_no_yaml(error)
        return EditSettings(), [Problem(place + line, f"a file that is not YAML ({reason})", "lines of 'key: value'")]
    except OSError as error:
        return EditSettings(), [Problem(place, f"a file that cannot be read ({error.strerror})", "a text file")]
