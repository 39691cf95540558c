"""From a folder of clips, or a sheet, to the clips and edits of a run, and what is wrong with the others."""

import sys
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lib.core.errors import Problem
from lib.core.names import Names, name_ids
from lib.core.text import printable
from lib.inputs.edits import Edit, Inputs, check_edit, index_of, list_indices
from lib.inputs.folder import read_folder
from lib.inputs.given import ClipFiles, EditFiles, place_of
from lib.inputs.ids import OF_CLIPS, OF_EDITS, make_ids
from lib.inputs.names import check_name, check_paths
from lib.inputs.probes import inspect_files
from lib.inputs.sheet import SHEET_SUFFIXES, read_sheet
from lib.video.probing import VideoInfo
from lib.video.windows import sample_indices, usable_frames


@dataclass(frozen=True)
class Clip:
    """One source video, its edits, and the 0-based source frames of it that are edited.

    Args:
        id: stands for the clip in paths, see `lib.inputs.ids`.
        name: as given, for people.
    """

    id: str
    name: str
    source: Path
    edits: tuple[Edit, ...]
    info: VideoInfo
    indices: tuple[int, ...]

    @property
    def files(self) -> list[Path]:
        """All that was given of the clip and its edits."""
        outside = [video.path for edit in self.edits for video in edit.outside]
        return [self.source, *[path for edit in self.edits for path in edit.files], *outside]


@dataclass(frozen=True)
class Batch:
    """The clips that can be run, and everything that keeps others from it.

    Args:
        names: of all clips and edits, those with problems too, fit to be shown: see `lib.core.names`.
        is_whole: whether all clips were looked at.
    """

    clips: tuple[Clip, ...]
    problems: tuple[Problem, ...]
    names: Names
    is_whole: bool = True


def find_clips(
    clips: Path,
    *,
    num_frames: int,
    start: int,
    stride: int,
    max_windows: int = 1,
    window_overlap: int = 1,
    frame_stride: int = 1,
    cache: Path | None = None,
    only: Collection[str] | None = None,
    instruction: str | None = None,
) -> Batch:
    """Find the clips of a folder or sheet; leave out, with all its problems, what cannot be run.

    Args:
        clips: a folder of clips, or a .tsv or .csv sheet.
        num_frames, start, stride: which source frames the run uses; see `lib.video.windows.sample_indices`.
        max_windows, window_overlap, frame_stride: how many frames more of a longer clip; see
            `lib.video.windows.usable_frames`.
        cache: where to remember what the files hold; None: look into each file again.
        only: ids of the clips to look at, as if there were no others; they have the ids that they have among all.
            Nothing is remembered then. None: all.
        instruction: of edits that have neither a first frame nor an instruction of their own.
    """

    def use_frames(available: int) -> list[int]:
        reachable = max(0, -(-(available - start) // stride))
        usable = usable_frames(reachable, num_frames, window_overlap, max_windows, frame_stride)
        return sample_indices(start, stride, usable)

    if clips.is_dir():
        base = clips
        found, problems = read_folder(clips, only, instruction)
    elif clips.is_file() and clips.suffix.lower() in SHEET_SUFFIXES:
        base = clips.parent
        found, problems = read_sheet(clips, only, instruction)
    else:
        found_there = "another kind of file" if clips.exists() else "no such file or folder"
        expected = f"a folder of clips, or a sheet ({' or '.join(SHEET_SUFFIXES)})"
        return Batch((), (Problem(str(clips), found_there, expected),), {})
    could_be_used = set(use_frames(sys.maxsize))
    videos, images = inspect_files(*_files_of(found, could_be_used), cache, is_whole=only is None)
    return _check_clips(found, problems, Inputs(base, videos, images, use_frames), only)


def _files_of(found: Sequence[ClipFiles], used: set[int]) -> tuple[list[Path], list[Path]]:
    """List the videos and images that matter; of the masks only those of the used frames."""
    videos = [path for clip in found for path in clip.sources[:1]]
    images = []
    for edit in (edit for clip in found for edit in clip.edits):
        videos += edit.mask_videos[:1]
        masks = [path for path in edit.masks or () if index_of(path) in used]
        images += [*edit.first_frames[:1], *edit.references, *masks]
    return videos, images


def _check_clips(
    found: Sequence[ClipFiles], problems: list[Problem], inputs: Inputs, only: Collection[str] | None
) -> Batch:
    clips = []
    problems = [_readable(problem) for problem in problems]
    names: dict[str, str] = {}
    ids = make_ids([files.name for files in found], OF_CLIPS)
    for files, clip_id, is_doubled in zip(found, ids, _doubled(found), strict=True):
        if only is not None and clip_id not in only:
            continue
        edit_ids = make_ids([edit.name for edit in files.edits], OF_EDITS)
        names |= name_ids(clip_id, files.name, dict(zip(edit_ids, (edit.name for edit in files.edits), strict=True)))
        clip, wrong = _check_clip(files, clip_id, edit_ids, is_doubled, inputs)
        problems += wrong
        if clip is not None:
            clips.append(clip)
    return Batch(tuple(clips), tuple(problems), names, is_whole=only is None)


def _doubled(found: Sequence[ClipFiles] | Sequence[EditFiles]) -> list[bool]:
    """For each clip, or edit of a clip, tell whether another has its name."""
    numbers = Counter(files.name for files in found)
    return [numbers[files.name] > 1 for files in found]


def _check_clip(
    files: ClipFiles, clip_id: str, edit_ids: Sequence[str], is_doubled: bool, inputs: Inputs
) -> tuple[Clip | None, list[Problem]]:
    info, wrong = _check_source(files, inputs)
    wrong = [*files.problems, *check_name(files.name, files.place, is_doubled), *wrong]
    problems = [_readable(problem, files.name) for problem in wrong]
    edits = []
    for edit_files, edit_id, edit_is_doubled in zip(files.edits, edit_ids, _doubled(files.edits), strict=True):
        edit, wrong_edit = check_edit(edit_files, edit_id, info, inputs)
        wrong_edit += check_name(edit_files.name, edit_files.place, edit_is_doubled)
        problems += [_readable(problem, files.name, edit_files.name) for problem in wrong_edit]
        if edit is not None and not wrong_edit:
            edits.append(edit)
    if wrong or info is None or not edits:
        return None, problems
    return Clip(clip_id, files.name, files.sources[0], tuple(edits), info, tuple(inputs.indices(info))), problems


def _check_source(files: ClipFiles, inputs: Inputs) -> tuple[VideoInfo | None, list[Problem]]:
    if not files.sources:
        return None, []  # said where the files were looked for
    if len(files.sources) > 1:
        names = ", ".join(path.name for path in files.sources)
        return None, [Problem(files.place, f"{len(files.sources)} source videos: {names}", "one source video")]
    content, place = inputs.videos[files.sources[0]], place_of(files.sources[0], inputs.base)
    unusable = check_paths(files.sources, inputs.base)
    if unusable:
        return None, unusable
    if isinstance(content, Problem):
        return None, [replace(content, place=place)]
    assert isinstance(content, VideoInfo)
    used = inputs.indices(content)
    if content.num_frames < used[-1] + 1:
        expected = f"at least {used[-1] + 1} frames: this run uses {list_indices(used)}"
        return content, [Problem(place, f"a video of {content.num_frames} frames", expected)]
    return content, []


def _readable(problem: Problem, clip: str | None = None, edit: str | None = None) -> Problem:
    """Say whom a problem concerns, and write out control characters, which would garble a terminal."""
    shown = (None if name is None else printable(name) for name in (clip, edit))
    return Problem(printable(problem.place), printable(problem.found), problem.expected, *shown)
