"""Which frame of a video that another tool made belongs to which frame of a clip."""

from collections.abc import Sequence
from dataclasses import dataclass

MAX_RATE_DIFFERENCE = 0.02  # relative; 30 and 29.97 frames per second are one rate, 25 and 24 are two


@dataclass(frozen=True)
class Length:
    """A video's number of frames, and its frames per second."""

    num_frames: int
    fps: float

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return self.num_frames / self.fps

    def __str__(self) -> str:
        return f"{self.num_frames} frames at {self.fps:.4g} per second"


@dataclass(frozen=True)
class Match:
    """How a video goes with the frames of a clip that are used.

    Args:
        frames: for each used frame, which frame of the video is shown there. A frame that is shown at several belongs
            to the first of them, see `own_frames`.
        how: for people, where frames do not simply go with frames of the same number; else empty.
    """

    frames: tuple[int, ...]
    how: str = ""


def same_rate(rate: float, other: float) -> bool:
    """Tell whether two rates, in frames per second, are one but for how they were written."""
    return abs(rate / other - 1) <= MAX_RATE_DIFFERENCE


def match_frames(video: Length, source: Length, indices: Sequence[int], step: float | None = None) -> Match | None:
    """Match a video's frames with those of a clip, as their numbers and rates tell.

    Args:
        video: of the other tool; its first frame shows the first frame of the source, or the first one that is used.
        source: of the whole source.
        indices: 0-based source frames that are used, evenly spaced, by rising index.
        step: used frames from one frame of the video to the next, before what numbers and rates tell.

    Returns:
        None: they do not tell.
    """
    stride = indices[1] - indices[0] if len(indices) > 1 else 1
    used = Length(len(indices), source.fps / stride)
    if step is not None:
        return _describe(_spread(video.num_frames, used.num_frames, step), f"{step:g} frames of the clip apart")
    as_source = same_rate(video.fps, source.fps)
    if video.num_frames == source.num_frames or (as_source and video.num_frames > indices[-1]):
        return Match(tuple(indices), "" if as_source else f"{video}, taken one for one with the source's {source}")
    if video.num_frames == used.num_frames:
        told = as_source or same_rate(video.fps, used.fps)
        return Match(tuple(range(used.num_frames)), "" if told else f"{video}, taken one for one with the run's {used}")
    if not _plays_as_long(video, used) and (indices[0] or not _plays_from_its_start(video, source, used)):
        return None
    ratio = 1.0 if same_rate(video.fps, used.fps) else used.fps / video.fps
    return _describe(_spread(video.num_frames, used.num_frames, ratio), f"{video}, beside the run's {used}, by time")


def own_frames(frames: Sequence[int]) -> list[bool]:
    """Tell for each used frame whether a frame of the video belongs to it, or is only still shown there."""
    return [index == 0 or frame != frames[index - 1] for index, frame in enumerate(frames)]


def _plays_as_long(video: Length, other: Length) -> bool:
    """Tell whether both last as long, but for one frame of the video."""
    return abs(video.seconds - other.seconds) <= 1.001 / video.fps


def _plays_from_its_start(video: Length, source: Length, used: Length) -> bool:
    return same_rate(video.fps, used.fps) or _plays_as_long(video, source)


def _spread(num_frames: int, num_used: int, ratio: float) -> tuple[int, ...]:
    """Return which frame of a video each used frame shows, if its frames are `ratio` used frames apart."""
    if ratio < 1:
        return tuple(min(num_frames - 1, int(index / ratio + 0.5)) for index in range(num_used))
    starts = {int(frame * ratio + 0.5): frame for frame in range(num_frames)}
    frames: list[int] = []
    for index in range(num_used):
        frames.append(starts.get(index, frames[-1] if frames else 0))
    return tuple(frames)


def _describe(frames: tuple[int, ...], how: str) -> Match:
    own = own_frames(frames)
    if all(own):
        return Match(frames, how)
    last = max(index for index, is_own in enumerate(own) if is_own)
    return Match(frames, f"{how}: measured at {sum(own)} of {len(own)} frames, the last at {last}")
