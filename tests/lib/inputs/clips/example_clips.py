"""Clips folders to be looked at, and what is asked of the problems found in them."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from PIL import Image

from lib.core.errors import Problem
from lib.inputs.clips import Batch, find_clips

WIDTH, HEIGHT, NUM_FRAMES = 64, 48, 20
USED = [2, 5, 8, 11, 14]  # what `look` asks for
COLUMNS = [
    "clip",
    "source",
    "edit",
    "first_frame",
    "references",
    "mask",
    "outside",
    "instruction",
    "reference_instructions",
    "prompt",
    "seed",
    "lora_scale",
    "negative_prompt",
    "num_steps",
    "guidance",
    "classes",
]
ROW = {"clip": "car", "source": "car.mp4", "edit": "red", "first_frame": "red.png"}


def look(clips: Path, cache: Path | None = None) -> Batch:
    """Find the clips for a run of 5 frames, every third from frame 2."""
    return find_clips(clips, num_frames=5, start=2, stride=3, cache=cache)


def write_video(
    path: Path, num_frames: int = NUM_FRAMES, options: dict[str, str] | None = None, rate: int = 24, width: int = WIDTH
) -> None:
    """Write H.264 of noise, so that the file has a body to cut."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, HEIGHT, "yuv420p"
        for _ in range(num_frames):
            picture = rng.integers(0, 255, (HEIGHT, width, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def write_image(path: Path, width: int = WIDTH, height: int = HEIGHT) -> Path:
    """Write an image of noise in the format of its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def only_problem(batch: Batch) -> Problem:
    """Return the one problem of a batch; fails, and shows them, when there are more."""
    assert len(batch.problems) == 1, "\n".join(map(str, batch.problems)) or "no problem was found"
    return batch.problems[0]


def edit_problem(clips: Path, add: Callable[..., Path]) -> Problem:
    """Return the one problem of car/red; a good edit beside it must have stayed."""
    add("car", "good")
    batch = look(clips)
    problem = only_problem(batch)
    assert [[edit.name for edit in clip.edits] for clip in batch.clips] == [["good"]]
    assert (problem.clip, problem.edit) == ("car", "red")
    return problem


def clip_problem(clips: Path, add: Callable[..., Path]) -> Problem:
    """Return the one problem of the clip car; a good clip beside it must have stayed."""
    add("good clip", "good")
    batch = look(clips)
    problem = only_problem(batch)
    assert [clip.name for clip in batch.clips] == ["good clip"]
    assert (problem.clip, problem.edit) == ("car", None)
    return problem


def says(problem: Problem, place: str, found: str, expected: str) -> bool:
    """Check a problem's exact place and that its two other parts hold the given words."""
    assert problem.place == place
    assert found in problem.found, problem.found
    assert expected in problem.expected, problem.expected
    return True
