"""Draw scenes at random: for training, and held out for measurements. A scene's number decides all of it."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import hypot
from multiprocessing import get_context
from multiprocessing.pool import AsyncResult
from typing import Any

import numpy as np
import torch

from demo.world.random_filming import film_at_random
from demo.world.rendering import Packed, pack_scenes
from demo.world.scenes import COLOURS, GROUNDS, Figure, Mark, Motion, Point, Scene
from demo.world.shapes import SHAPES

Task = tuple[str, Sequence[int], bool]
"""What scenes to draw: split, numbers, and whether they are portrait."""

SPLITS = {"train": 0, "held_out": 1}
LEAST_FRAMES, MOST_FRAMES = 17, 30  # of a scene: the fewer, the faster its figures move
STRIPED_SHARE, MARKED_SHARE, CHANGING_SHARE, FLIPPING_SHARE = 0.3, 0.15, 0.06, 0.5  # the last: of those that change
CROSSING_SHARE = 0.5  # of the scenes with two movers: they meet halfway
LEAVING_SHARE = 0.1  # of the movers: out of the frame halfway, and back
HIDING_SHARE = 0.3  # of the still figures: in front of the movers
FIRST_FILMED_NUMBER = 10_000_000  # of held-out scenes; those before it stand still, as all did once
FILMING_STREAM = 500  # of random numbers
MOST_TRIES = 40  # to place a figure clear of the others


def number_scene(split: str, number: int, is_portrait: bool = False) -> Scene:
    """Return a numbered scene of 160 x 96 pixels.

    Args:
        split: a key of SPLITS; no scene belongs to both.
        number: any count; see `is_filmed`.
        is_portrait: swap width and height.
    """
    generator = np.random.default_rng((SPLITS[split], number))
    width, height = (96, 160) if is_portrait else (160, 96)
    num_frames = int(generator.integers(LEAST_FRAMES, MOST_FRAMES + 1))
    scene = random_scene(generator, width, height, num_frames)
    filming = np.random.default_rng((SPLITS[split], number, FILMING_STREAM))
    return film_at_random(filming, scene) if is_filmed(split, number) else scene


def is_filmed(split: str, number: int) -> bool:
    """Tell whether a numbered scene is lit and its camera may move: two of three to train on, and the last held out."""
    return bool(number % 3) if split == "train" else number >= FIRST_FILMED_NUMBER


def filmed_numbers(num_scenes: int) -> range:
    """Return the numbers of held-out scenes that are lit and whose camera may move."""
    return range(FIRST_FILMED_NUMBER, FIRST_FILMED_NUMBER + num_scenes)


def random_scene(
    generator: np.random.Generator, width: int = 160, height: int = 96, num_frames: int = 25, max_movers: int = 2
) -> Scene:
    """Draw a scene at random: a still figure half of the time, and one or more movers, apart in the first frame."""
    figures: list[Figure] = []
    num_movers = int(generator.integers(1, max_movers + 1))
    for is_moving in [True] * num_movers + [False] * int(generator.random() < 0.5):
        figure = place_figure(generator, figures, is_moving, width, height)
        if figure is None:
            continue
        if len(figures) == 1 and is_moving and generator.random() < CROSSING_SHARE:
            figure = meet_halfway(figure, figures[0])
        # A still figure is behind the movers, or hides them.
        is_behind = not is_moving and generator.random() >= HIDING_SHARE
        figures.insert(0 if is_behind else len(figures), figure)
    return Scene(
        figures=tuple(figures),
        ground=str(generator.choice(list(GROUNDS))),
        texture_seed=int(generator.integers(2**31)),
        width=width,
        height=height,
        num_frames=num_frames,
    )


def place_figure(
    generator: np.random.Generator, others: Sequence[Figure], is_moving: bool, width: int, height: int
) -> Figure | None:
    """Draw a figure that overlaps no other in the first frame; None where there is no room for it."""
    for _ in range(MOST_TRIES):
        figure = random_figure(generator, is_moving)
        if all(_is_apart(figure.motion, other.motion, width, height) for other in others):
            return figure
    return None


def _is_apart(motion: Motion, other: Motion, width: int, height: int) -> bool:
    (x1, y1), (x2, y2) = motion.path[0], other.path[0]
    return hypot((x2 - x1) * width, (y2 - y1) * height) > (motion.radius[0] + other.radius[0]) * min(width, height)


def random_figure(generator: np.random.Generator, is_moving: bool) -> Figure:
    """Draw a figure at random; a mover crosses at least 0.3 of the frame's width or height."""
    shape = str(generator.choice(list(SHAPES)))
    colour, stripe_colour, mark_colour, late_colour = (
        str(name) for name in generator.choice(list(COLOURS), size=4, replace=False)
    )
    has_stripes = generator.random() < STRIPED_SHARE
    has_mark = generator.random() < MARKED_SHARE and shape != "ring"  # whose middle is a hole
    mark = Mark(str(generator.choice(list(SHAPES))), mark_colour, radius=float(generator.uniform(0.4, 0.6)))
    changes = is_moving and generator.random() < CHANGING_SHARE
    late_start = float(generator.uniform(0.1, 0.5))
    return Figure(
        shape=shape,
        colour=colour,
        motion=random_motion(generator) if is_moving else random_rest(generator),
        stripe_colour=stripe_colour if has_stripes else None,
        late_colour=late_colour if changes else None,
        late_interval=(late_start, late_start + 0.25),
        flips=bool(changes and generator.random() < FLIPPING_SHARE),
        mark=mark if has_mark else None,
    )


def random_motion(generator: np.random.Generator) -> Motion:
    """Draw a path across the frame, with a turn and a change of size."""
    start, end = generator.uniform(0.15, 0.85, size=(2, 2))
    crossed_axis = generator.integers(2)
    ends = generator.permutation([generator.uniform(0.15, 0.35), generator.uniform(0.65, 0.85)])
    start[crossed_axis], end[crossed_axis] = ends
    middle = (start + end) / 2 + generator.uniform(-0.25, 0.25, size=2)
    if generator.random() < LEAVING_SHARE:
        outside = middle.copy()
        outside[generator.integers(2)] = generator.choice([-0.2, 1.2])
        middle = 2 * outside - (start + end) / 2  # the curve is at `outside` halfway
    radius, angle = generator.uniform(0.13, 0.2), generator.uniform(-180, 180)
    growth, turn = generator.uniform(0.8, 1.3), generator.uniform(-180, 180)
    return Motion(
        path=(_point(start), _point(middle), _point(end)),
        radius=(float(radius), float(radius * growth)),
        rotation=(float(angle), float(angle + turn)),
    )


def random_rest(generator: np.random.Generator) -> Motion:
    """Draw a place where a figure stays."""
    radius, angle = float(generator.uniform(0.13, 0.2)), float(generator.uniform(-180, 180))
    return Motion(
        path=(_point(generator.uniform(0.15, 0.85, size=2)),), radius=(radius, radius), rotation=(angle, angle)
    )


def meet_halfway(figure: Figure, other: Figure) -> Figure:
    """Bend a mover's path so that it is where another mover is, halfway through the clip."""
    (x0, y0), (x1, y1), (x2, y2) = other.motion.path
    meeting = ((x0 + 2 * x1 + x2) / 4, (y0 + 2 * y1 + y2) / 4)
    start, _, end = figure.motion.path
    middle = tuple(2 * there - (first + last) / 2 for there, first, last in zip(meeting, start, end, strict=True))
    return _with_path(figure, (start, _point(np.array(middle)), end))


def _with_path(figure: Figure, path: tuple[Point, ...]) -> Figure:
    return replace(figure, motion=replace(figure.motion, path=path))


def _point(values: np.ndarray) -> Point:
    return float(values[0]), float(values[1])


def pack_numbered(
    split: str, numbers: Sequence[int], is_portrait: bool = False, num_workers: int = 1
) -> tuple[list[Scene], Packed]:
    """Make and pack numbered scenes, in several processes; call it before CUDA is in use."""
    chunks = [numbers[first : first + 500] for first in range(0, len(numbers), 500)]
    arguments = [(split, chunk, is_portrait) for chunk in chunks]
    if num_workers == 1:
        parts = [_pack_chunk(*argument) for argument in arguments]
    else:
        with get_context("fork").Pool(num_workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            parts = pool.starmap(_pack_chunk, arguments)
    scenes = [scene for part, _ in parts for scene in part]
    packed = {key: torch.cat([torch.from_numpy(part[key]) for _, part in parts]) for key in parts[0][1]}
    return scenes, packed


class Drawer:
    """Draws scenes ahead in other processes; to be made before CUDA is in use."""

    def __init__(self, num_workers: int) -> None:
        self._pool = get_context("fork").Pool(num_workers, initializer=torch.set_num_threads, initargs=(1,))
        self._ahead = 2 * num_workers

    def draw(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, tuple[list[Scene], Packed]]]:
        """Yield each task, (split, numbers, whether portrait), with its scenes, packed."""
        waiting = deque[tuple[Task, AsyncResult[Any]]]()
        for task in tasks:
            waiting.append((task, self._pool.apply_async(_pack_chunk, task)))
            if len(waiting) > self._ahead:
                yield self._next(waiting)
        while waiting:
            yield self._next(waiting)

    @staticmethod
    def _next(waiting: deque[tuple[Task, Any]]) -> tuple[Task, tuple[list[Scene], Packed]]:
        task, result = waiting.popleft()
        scenes, packed = result.get()
        return task, (scenes, {key: torch.from_numpy(array) for key, array in packed.items()})

    def stop(self) -> None:
        """End the processes."""
        self._pool.terminate()


def _pack_chunk(split: str, numbers: Sequence[int], is_portrait: bool) -> tuple[list[Scene], dict[str, np.ndarray]]:
    """Pack in a worker; arrays, because a tensor would travel as a file handle."""
    scenes = [number_scene(split, number, is_portrait) for number in numbers]
    return scenes, {key: tensor.numpy() for key, tensor in pack_scenes(scenes).items()}
