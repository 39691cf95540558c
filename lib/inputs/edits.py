"""Check one edit of a clip: its first frame, references and masks, against the source that they belong to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lib.core.errors import Problem
from lib.inputs.given import EditFiles, place_of
from lib.inputs.ids import outside_id
from lib.inputs.names import check_paths
from lib.inputs.probes import Content, ImageSize
from lib.video.crops import same_aspect
from lib.video.frame_matching import same_rate
from lib.video.probing import VideoInfo

MAX_LISTED = 20  # frame numbers named in one message


@dataclass(frozen=True)
class OutsideVideo:
    """A video that another tool made for an edit: a method that is measured, and neither trained nor generated.

    Args:
        id: stands for the method in paths, see `lib.inputs.ids.outside_id`.
        name: of the method as given, for people.
        frames: of `lib.video.frame_matching.match_frames`; empty until the video was looked into.
        notes: for people, on how it was brought to the clip's size, time and length, where it had others.
        changed: when the file was, in nanoseconds: another one in its place may be older than what was made of it.
    """

    id: str
    name: str
    path: Path
    frames: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    changed: int = 0


@dataclass(frozen=True)
class Edit:
    """One edit of a clip; references and masks are (0-based source frame index, file), by rising index.

    A reference without a file is made as `reference_instructions` say of its index.
    A user's masks come as images or as one video, `mask_video`, whose frames are the source's; or not at all.

    Args:
        id: stands for the edit in paths, see `lib.inputs.ids`.
        name: as given, for people.
        first_frame: the edited one; None: it is made as the instruction says.
        outside: videos of other tools; they are no part of `files`, which the edit itself is made from.
        instruction: what to change in the source's first frame, in words; None: there is an edited one.
    """

    id: str
    name: str
    first_frame: Path | None
    references: tuple[tuple[int, Path | None], ...]
    masks: tuple[tuple[int, Path], ...]
    mask_video: Path | None
    prompt: str | None
    seed: int | None
    classes: tuple[str, ...] | None
    lora_scale: float | None
    outside: tuple[OutsideVideo, ...] = ()
    instruction: str | None = None
    reference_instructions: tuple[tuple[int, str], ...] = ()
    negative_prompt: str | None = None
    num_steps: int | None = None
    guidance: float | None = None

    @property
    def is_instructed(self) -> bool:
        """Whether a frame of it is to be made as an instruction says."""
        return bool(self.instruction or self.reference_instructions)

    @property
    def user_masks(self) -> list[Path]:
        """The user's own masks: images, or one video; none where they are to be made."""
        return [self.mask_video] if self.mask_video else [path for _, path in self.masks]

    @property
    def files(self) -> list[Path]:
        """All that was given of the edit."""
        return [*self.pictures, *self.user_masks]

    @property
    def pictures(self) -> list[Path]:
        """The edited frames that were given."""
        return [*([self.first_frame] if self.first_frame else []), *(path for _, path in self.references if path)]


@dataclass(frozen=True)
class Inputs:
    """What every check may look up: the folder that places are relative to, the files, and which frames are used."""

    base: Path
    videos: dict[Path, Content]
    images: dict[Path, Content]
    use_frames: Callable[[int], list[int]]

    def indices(self, info: VideoInfo | None) -> list[int]:
        """Return the source frames used of a clip; of one that cannot be read, as if it just sufficed."""
        return self.use_frames(info.num_frames if info else 0)


def check_edit(
    files: EditFiles, edit_id: str, info: VideoInfo | None, inputs: Inputs
) -> tuple[Edit | None, list[Problem]]:
    given = [*files.first_frames, *files.references, *(files.masks or ()), *files.mask_videos]
    problems = [*files.problems, *check_paths(given, inputs.base)]
    if len(files.first_frames) > 1:
        names = ", ".join(path.name for path in files.first_frames)
        problems.append(Problem(files.place, f"{len(files.first_frames)} edited first frames: {names}", "one"))
    for path in files.first_frames[:1]:
        problems += _check_picture(path, info, inputs)
    references, wrong = _by_index(files.references, inputs.base)
    problems += wrong
    for index, path in references:
        problems += _check_reference_index(index, place_of(path, inputs.base), info, inputs)
        problems += _check_picture(path, info, inputs)
    instructed, wrong = _check_instructed(files, references, info, inputs)
    problems += wrong
    masks, wrong = _check_masks(files, info, inputs)
    problems += wrong + _check_mask_video(files, info, inputs)
    settings = files.settings
    if files.first_frames and settings.instruction:
        found = f"an instruction beside {files.first_frames[0].name}"
        problems.append(Problem(files.place, found, "one of them: the instruction makes the edited first frame"))
    if not files.first_frames and not settings.instruction:
        return None, problems
    classes = None if settings.classes is None else tuple(settings.classes)
    first_frame = next(iter(files.first_frames), None)
    mask_video = next(iter(files.mask_videos), None)
    outside = tuple(OutsideVideo(outside_id(name), name, path) for name, path in files.outside)
    every: list[tuple[int, Path | None]] = [*references, *((index, None) for index, _ in instructed)]
    own = (settings.prompt, settings.seed, classes, settings.lora_scale, outside, settings.instruction, instructed)
    sampling = (settings.negative_prompt, settings.num_steps, settings.guidance)
    return Edit(edit_id, files.name, first_frame, _by_rising(every), masks, mask_video, *own, *sampling), problems


def _check_picture(path: Path, info: VideoInfo | None, inputs: Inputs) -> list[Problem]:
    """Check an edited frame: whole, and of the source's aspect ratio."""
    content, place = inputs.images[path], place_of(path, inputs.base)
    if isinstance(content, Problem):
        return [replace(content, place=place)]
    assert isinstance(content, ImageSize)
    if info is None or _has_aspect_of(content, info):
        return []
    expected = f"the aspect ratio of the source, {_describe_source(info)}"
    return [Problem(place, f"an image of {_describe_size(content)}", expected)]


def _check_instructed(
    files: EditFiles, references: Sequence[tuple[int, Path]], info: VideoInfo | None, inputs: Inputs
) -> tuple[tuple[tuple[int, str], ...], list[Problem]]:
    """Check the references that are given as instructions: of frames that are used, and given once."""
    instructed = tuple(sorted((files.settings.reference_instructions or {}).items()))
    place, given = f"{files.place}, reference_instructions", {index: path.name for index, path in references}
    problems = []
    for index, _ in instructed:
        problems += _check_reference_index(index, place, info, inputs)
        if index in given:
            problems.append(Problem(place, f"index {index}, beside the reference {given[index]}", "one of them"))
    return instructed, problems


def _by_rising(references: Sequence[tuple[int, Path | None]]) -> tuple[tuple[int, Path | None], ...]:
    return tuple(sorted(references, key=lambda reference: reference[0]))


def _check_reference_index(index: int, place: str, info: VideoInfo | None, inputs: Inputs) -> list[Problem]:
    if info is not None and index >= info.num_frames:
        found = f"source frame index {index}, beyond the clip"
        return [Problem(place, found, f"an index of its {info.num_frames} frames, 0 to {info.num_frames - 1}")]
    frames = inputs.indices(info)
    if index not in frames:
        nearest = min(frames, key=lambda used: abs(used - index))
        expected = f"one of the frames that this run uses, {list_indices(frames)} (nearest: {nearest})"
        return [Problem(place, f"source frame index {index}", expected)]
    if index == frames[0]:
        found = f"source frame index {index}, the one that the edited first frame shows"
        return [Problem(place, found, "a later frame, or no reference")]
    return []


def _check_masks(
    files: EditFiles, info: VideoInfo | None, inputs: Inputs
) -> tuple[tuple[tuple[int, Path], ...], list[Problem]]:
    """Check the user's masks: one for each used frame, of exactly the source's size."""
    if files.masks is None:
        return (), []
    masks, problems = _by_index(files.masks, inputs.base)
    frames = inputs.indices(info)
    needed = set(frames)
    used = tuple((index, path) for index, path in masks if index in needed)
    for _, path in used:
        problems += _check_mask_size(path, info, inputs)
    missing = sorted(needed - {index for index, _ in used})
    if missing:
        place = place_of(files.masks[0].parent, inputs.base) if files.masks else f"{files.place}/mask"
        found = f"no mask for {list_indices(missing)} ({len(missing)} of {len(frames)} frames)"
        expected = "a mask for each frame that this run uses, named by its source frame index, such as 00000.png"
        problems.append(Problem(place, found, expected))
    return used, problems


def _check_mask_size(path: Path, info: VideoInfo | None, inputs: Inputs) -> list[Problem]:
    content, place = inputs.videos.get(path) or inputs.images[path], place_of(path, inputs.base)
    if isinstance(content, Problem):
        return [replace(content, place=place)]
    if info is None or (content.width, content.height) in ((info.width, info.height), (info.shown_width, info.height)):
        return []
    expected = f"exactly the size of the source, {_describe_source(info)}"
    return [Problem(place, f"a mask of {_describe_size(content)}", expected)]


def _check_mask_video(files: EditFiles, info: VideoInfo | None, inputs: Inputs) -> list[Problem]:
    """Check a mask that is a video: its frames must be the source's, one for one."""
    if not files.mask_videos:
        return []
    path, place = files.mask_videos[0], place_of(files.mask_videos[0], inputs.base)
    if len(files.mask_videos) > 1 or files.masks is not None:
        names = ", ".join([path.name for path in files.mask_videos] + ["the folder mask"] * (files.masks is not None))
        return [Problem(files.place, f"masks given twice: {names}", "one mask video or one folder of mask images")]
    problems, video = _check_mask_size(path, info, inputs), inputs.videos[path]
    if info is None or not isinstance(video, VideoInfo):
        return problems
    needed = inputs.indices(info)[-1] + 1
    if video.num_frames < needed:
        found = f"a mask video of {video.num_frames} frames"
        problems.append(Problem(place, found, f"at least {needed}: frame by frame those of the source"))
    if not same_rate(video.fps, info.fps):
        expected = f"the source's rate, {info.fps:g}, so that each frame is the mask of one source frame"
        problems.append(Problem(place, f"a mask video of {video.fps:g} frames per second", expected))
    return problems


def _by_index(paths: Sequence[Path], base: Path) -> tuple[tuple[tuple[int, Path], ...], list[Problem]]:
    """Sort files named by a source frame index by that index."""
    problems = []
    indexed: dict[int, Path] = {}
    for path in paths:
        index, place = index_of(path), place_of(path, base)
        if index is None:
            found = f"the name '{path.stem}', which is no whole number"
            problems.append(Problem(place, found, f"a source frame index, such as 00024{path.suffix}"))
        elif index in indexed:
            problems.append(Problem(place, f"a second file for index {index}, beside {indexed[index].name}", "one"))
        else:
            indexed[index] = path
    return tuple(sorted(indexed.items())), problems


def index_of(path: Path) -> int | None:
    return int(path.stem) if path.stem.isascii() and path.stem.isdigit() else None


def list_indices(indices: Sequence[int]) -> str:
    """Name frames briefly: 'frames 0 to 48' or 'frames 3, 5 to 7'; a long list is cut in its middle."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    names = [str(first) if first == last else f"{first} to {last}" for first, last in runs]
    names = names if len(names) <= MAX_LISTED else [*names[: MAX_LISTED - 2], "...", names[-1]]
    return f"frame{'s' * (len(indices) > 1)} {', '.join(names)}"


def _describe_size(size: ImageSize | VideoInfo) -> str:
    return f"{size.width}x{size.height} pixels ({size.width / size.height:.3f}:1)"


def _has_aspect_of(size: ImageSize | VideoInfo, source: VideoInfo) -> bool:
    """Tell whether a picture has the shape of the source: as stored, or as players show its pixels."""
    widths = (source.width, source.shown_width)
    return any(same_aspect(size.width, size.height, width, source.height) for width in widths)


def _describe_source(info: VideoInfo) -> str:
    """Name a source's size; where its pixels are not square also the size that players and editors show."""
    if info.shown_width == info.width:
        return _describe_size(info)
    shown = f"{info.shown_width}x{info.height} as players show its pixels, which are {info.pixel_aspect:.3f}:1"
    return f"{_describe_size(info)}, or {shown}"
