"""Videos that other tools made for the edits of a batch: found, and matched with their clips before any work."""

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from lib.config.sections import OutsideSection, VideoSection
from lib.core.errors import Problem
from lib.core.names import OUTSIDE
from lib.core.text import printable
from lib.inputs.clips import Batch, Clip
from lib.inputs.edits import Edit, OutsideVideo
from lib.inputs.given import VIDEO_SUFFIXES, place_of
from lib.inputs.ids import outside_id
from lib.inputs.names import check_paths
from lib.inputs.probes import Content, inspect_files
from lib.video.alignment import plan_fit
from lib.video.crops import plan_crop
from lib.video.frame_matching import Length, match_frames
from lib.video.probing import VideoInfo

PLACEHOLDER = re.compile(r"\{(clip|edit)\}")

Given = list[tuple[OutsideVideo, Problem | None]]
"""Videos of an edit, each with what is wrong with its being given, if anything."""


def add_outside(
    batch: Batch, base: Path, methods: Mapping[str, OutsideSection], video: VideoSection, cache: Path | None
) -> tuple[Batch, list[Problem]]:
    """Add the videos of the settings to those beside the edits, and leave out, with a problem, what cannot be matched.

    Args:
        batch: clips and edits that can be run; of a part of the clips alone the cache is read and left as it is.
        base: the clips folder, or the sheet: what places are relative to.
        methods: of the settings, by name.
        video: width and height of the run's frames.
        cache: where to remember what the files hold; None: look into each file again.

    Returns:
        The batch, and a problem for each method of the settings that no edit has a video of.
    """
    folder = base if base.is_dir() else base.parent
    given = {
        (clip.id, edit.id): _list_given(clip, edit, methods, folder) for clip in batch.clips for edit in clip.edits
    }
    found = [each for videos in given.values() for each, _ in videos]
    paths = [each.path for each in found if each.path.suffix.lower() in VIDEO_SUFFIXES]
    contents, _ = inspect_files(paths, [], cache, is_whole=batch.is_whole)
    clips, problems, names = [], list(batch.problems), dict(batch.names)
    for clip in batch.clips:
        edits = []
        for edit in clip.edits:
            good = []
            for each, wrong in given[clip.id, edit.id]:
                method = methods.get(each.name)
                matched = wrong or _check(each, clip, contents, method.step if method else None, video, folder)
                if isinstance(matched, Problem):
                    problems.append(_readable(matched, clip, edit))
                else:
                    good.append(matched)
            edits.append(replace(edit, outside=tuple(good)))
            names |= {f"{clip.id}/{edit.id}/{each.id}": printable(each.name) for each in good if _is_renamed(each)}
        clips.append(replace(clip, edits=tuple(edits)))
    whole = replace(batch, clips=tuple(clips), problems=tuple(problems), names=names)
    return whole, _find_unused(methods, {each.name for each in found})


def list_notes(batch: Batch) -> list[str]:
    """Say of each outside video how it was brought to its clip's size, time and length, where it had others."""
    return [
        f"clip '{printable(clip.name)}', edit '{printable(edit.name)}', {printable(video.name)}: {note}"
        for clip in batch.clips
        for edit in clip.edits
        for video in edit.outside
        for note in video.notes
    ]


def _list_given(clip: Clip, edit: Edit, methods: Mapping[str, OutsideSection], folder: Path) -> Given:
    """List what lies beside an edit, and, of methods of which nothing does, what the settings name."""
    seen: dict[str, OutsideVideo] = {}
    given: Given = []
    for video in edit.outside:
        first = seen.setdefault(video.id.lower(), video)  # also where a disk ignores case
        doubled = Problem(place_of(video.path, folder), f"a second '{video.name}', beside {first.path.name}", "one")
        given.append((video, None if first is video else doubled))
    for name, method in methods.items():
        if not method.videos or outside_id(name).lower() in seen:
            continue
        path = Path(_fill(method.videos, clip.name, edit.name))
        if not os.path.lexists(path):  # noqa: PTH110 - pathlib raises at names that no file can have
            continue
        shared = Problem(str(path), f"one video for {len(clip.edits)} edits of a clip", "a path with {edit} in it")
        serves_all = "{edit}" not in method.videos and len(clip.edits) > 1
        given.append((OutsideVideo(outside_id(name), name, path), shared if serves_all else None))
    return given


def _fill(pattern: str, clip: str, edit: str) -> str:
    """Put names into a pattern; a name with braces in it is a name all the same."""
    return PLACEHOLDER.sub(lambda match: clip if match[1] == "clip" else edit, pattern)


def _check(
    found: OutsideVideo,
    clip: Clip,
    contents: Mapping[Path, Content],
    step: float | None,
    video: VideoSection,
    folder: Path,
) -> OutsideVideo | Problem:
    """Match a video with its clip, or say why that cannot be."""
    place = place_of(found.path, folder)
    if found.path not in contents:
        return Problem(place, "a file that is no video", f"one of {', '.join(VIDEO_SUFFIXES)}")
    if unusable := check_paths([found.path], folder):
        return unusable[0]
    info = contents[found.path]
    if isinstance(info, Problem):
        return replace(info, place=place)
    assert isinstance(info, VideoInfo)
    crop, source = plan_crop(clip.info.height, clip.info.width, video.width, video.height), clip.info
    size, own_sizes = (info.width, info.height), ((source.width, source.height), (crop.width, crop.height))
    if plan_fit(*size, crop, source.pixel_aspect) is None:
        expected = f"the shape of the source, {_show(own_sizes[0])}, or of the run's frames, {_show(own_sizes[1])}"
        return Problem(place, f"a video of {_show(size)} pixels", expected)
    length, whole = Length(info.num_frames, info.fps), Length(source.num_frames, source.fps)
    match = match_frames(length, whole, clip.indices, step)
    if match is None:
        of_run = f"{len(clip.indices)} from frame {clip.indices[0]} on, the run's"
        expected = f"{whole}, the source's; {of_run}; as long a time; or a step in outside_methods"
        return Problem(place, f"a video of {length}", expected)
    resized = [] if size in own_sizes else [f"{_show(size)} pixels, resized to {_show(own_sizes[1])}"]
    notes = (*resized, *[match.how] * bool(match.how))
    return replace(found, frames=match.frames, notes=notes, changed=_changed(found.path))


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # gone since it was looked into: its job will say so
        return 0


def _show(size: tuple[int, int]) -> str:
    return "x".join(map(str, size))


def _readable(problem: Problem, clip: Clip, edit: Edit) -> Problem:
    """Say whom a problem concerns, and write out what would garble a terminal."""
    words = (printable(word) for word in (problem.place, problem.found, problem.expected, clip.name, edit.name))
    return Problem(*words)


def _is_renamed(video: OutsideVideo) -> bool:
    return video.name != video.id.removeprefix(OUTSIDE)


def _find_unused(methods: Mapping[str, OutsideSection], found: Collection[str]) -> list[Problem]:
    expected = "a path with {clip} and {edit} in it at which an edit has one, or outside/NAME.mp4 beside an edit"
    return [
        Problem(f"outside_methods.{name}", f"no video of any edit{_where(method)}", expected)
        for name, method in methods.items()
        if name not in found
    ]


def _where(method: OutsideSection) -> str:
    return f" at {method.videos}" if method.videos else ""
