"""Draw thousands of the demo's scenes at once, on the CPU or a GPU, for training and held-out measurements.

A scene's number decides all of it: `number_scene(split, number)`. Scenes are packed into tensors with one row each,
and rows are rendered together; a test holds the result against `demo.scenes.render`.
"""

from collections.abc import Sequence
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import torch

from demo.scenes import (
    COLOURS,
    GROUNDS,
    SHAPES,
    Figure,
    Mark,
    Point,
    Scene,
    coverage,
    random_scene,
)

Packed = dict[str, torch.Tensor]
"""Scenes as tensors, one row each: the scene's own, and `figure_*` with a second axis for its figures."""

SPLITS = {"train": 0, "held_out": 1}
SHAPE_NAMES = list(SHAPES)
NO_SHAPE = -1
MAX_FIGURES = 3
LEAST_FRAMES, MOST_FRAMES = 17, 30  # of a scene: the fewer, the faster its figures move
MARK_SHARE, LATE_COLOUR_SHARE = 0.15, 0.12  # of the movers
TEXTURE_OCTAVES = ((2, 26.0), (5, 16.0), (12, 8.0))  # as in demo.scenes.draw_ground: cells, contrast
TEXTURE_KEYS = tuple(f"texture_{cells}" for cells, _ in TEXTURE_OCTAVES)


# --- Scenes ---


def number_scene(split: str, number: int, is_portrait: bool = False) -> Scene:
    """Return a numbered scene of 160 x 96 pixels: `random_scene` with marks and colours that change.

    Args:
        split: a key of SPLITS; no scene belongs to both.
        number: any count.
        is_portrait: swap width and height.
    """
    generator = np.random.default_rng((SPLITS[split], number))
    width, height = (96, 160) if is_portrait else (160, 96)
    num_frames = int(generator.integers(LEAST_FRAMES, MOST_FRAMES + 1))
    scene = random_scene(generator, width, height, num_frames)
    return replace(scene, figures=tuple(_vary(figure, generator) for figure in scene.figures))


def _vary(figure: Figure, generator: np.random.Generator) -> Figure:
    if len(figure.motion.path) > 1 and generator.random() < MARK_SHARE:
        colour = str(generator.choice([name for name in COLOURS if name not in (figure.colour, figure.stripe_colour)]))
        mark = Mark(str(generator.choice(SHAPE_NAMES)), colour, radius=float(generator.uniform(0.4, 0.6)))
        figure = replace(figure, mark=mark)
    if len(figure.motion.path) > 1 and generator.random() < LATE_COLOUR_SHARE:
        colour = str(generator.choice([name for name in COLOURS if name != figure.colour]))
        start = float(generator.uniform(0.1, 0.5))
        figure = replace(figure, late_colour=colour, late_interval=(start, start + 0.2))
    return figure


# --- Packing ---


def pack_scenes(scenes: Sequence[Scene]) -> Packed:
    """Turn scenes of one size into tensors, one row each.

    Raises:
        AssertionError: sizes differ, a scene has over MAX_FIGURES figures, or a path has over three points.
    """
    assert len({(scene.width, scene.height) for scene in scenes}) == 1, "scenes of one size only"
    rows = [_pack_scene(scene) for scene in scenes]
    packed = {key: torch.from_numpy(np.stack([row[key] for row in rows])) for key in rows[0]}
    textures = [_draw_texture_grids(scene) for scene in scenes]
    for key, grids in zip(TEXTURE_KEYS, zip(*textures, strict=True), strict=True):
        packed[key] = torch.cat(grids)
    return packed


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


def _pack_chunk(split: str, numbers: Sequence[int], is_portrait: bool) -> tuple[list[Scene], dict[str, np.ndarray]]:
    """Pack in a worker; arrays, because a tensor would travel as a file handle."""
    scenes = [number_scene(split, number, is_portrait) for number in numbers]
    return scenes, {key: tensor.numpy() for key, tensor in pack_scenes(scenes).items()}


def _pack_scene(scene: Scene) -> dict[str, np.ndarray]:
    assert len(scene.figures) <= MAX_FIGURES, f"{len(scene.figures)} figures"
    row = {
        "size": np.array((scene.width, scene.height), np.int64),
        "num_frames": np.array(scene.num_frames, np.int64),
        "ground": np.array(GROUNDS[scene.ground], np.float32),
        "figure_shape": np.full(MAX_FIGURES, NO_SHAPE, np.int64),
        "figure_path": np.zeros((MAX_FIGURES, 3, 2), np.float32),
        "figure_radius": np.ones((MAX_FIGURES, 2), np.float32),
        "figure_rotation": np.zeros((MAX_FIGURES, 2), np.float32),
        "figure_colours": np.zeros((MAX_FIGURES, 4, 3), np.float32),  # early, late, stripes, mark
        "figure_late_interval": np.ones((MAX_FIGURES, 2), np.float32),
        "figure_has_stripes": np.zeros(MAX_FIGURES, np.bool_),
        "figure_mark_shape": np.full(MAX_FIGURES, NO_SHAPE, np.int64),
        "figure_mark": np.ones((MAX_FIGURES, 3), np.float32),  # radius, x, y
    }
    for slot, figure in enumerate(scene.figures):
        row["figure_shape"][slot] = SHAPE_NAMES.index(figure.shape)
        row["figure_path"][slot] = _quadratic_path(figure.motion.path)
        row["figure_radius"][slot] = figure.motion.radius
        row["figure_rotation"][slot] = figure.motion.rotation
        names = (figure.colour, figure.late_colour or figure.colour, figure.stripe_colour or figure.colour)
        row["figure_colours"][slot, :3] = [COLOURS[name] for name in names]
        row["figure_late_interval"][slot] = figure.late_interval
        row["figure_has_stripes"][slot] = figure.stripe_colour is not None
        if figure.mark is not None:
            row["figure_mark_shape"][slot] = SHAPE_NAMES.index(figure.mark.shape)
            row["figure_mark"][slot] = (figure.mark.radius, *figure.mark.offset)
            row["figure_colours"][slot, 3] = COLOURS[figure.mark.colour]
    return row


def _quadratic_path(path: tuple[Point, ...]) -> tuple[Point, Point, Point]:
    """Write a Bezier curve of one to three points with three; the curve stays the same."""
    assert len(path) <= 3, f"{len(path)} control points"
    (x1, y1), (x2, y2) = path[0], path[-1]
    middle = path[1] if len(path) == 3 else ((x1 + x2) / 2, (y1 + y2) / 2)
    return path[0], middle, path[-1]


def _draw_texture_grids(scene: Scene) -> list[torch.Tensor]:
    """Draw the coarse noise of each octave, (1, 3, rows, columns), in the order of demo.scenes.draw_ground."""
    generator = torch.Generator().manual_seed(scene.texture_seed)
    shorter = min(scene.width, scene.height)
    grids = []
    for cells, contrast in TEXTURE_OCTAVES:
        grid = (1 + cells * scene.height // shorter, 1 + cells * scene.width // shorter)
        noise = torch.rand(1, 1, *grid, generator=generator) - 0.5
        tint = torch.rand(1, 3, *grid, generator=generator) - 0.5
        grids.append(contrast * (2 * noise + 0.5 * tint))
    return grids


# --- Rendering ---


@torch.no_grad()
def render_packed(packed: Packed, num_frames: int, device: str = "cpu", rows_at_once: int = 64) -> torch.Tensor:
    """Render the first frames of every packed scene.

    Args:
        packed: see `pack_scenes`.
        num_frames: frames of each to render, from the first.
        device: where to compute and where the result stays.
        rows_at_once: scenes rendered together; each takes about 30 MB meanwhile.

    Returns:
        (scenes, 3, frames, height, width) uint8 RGB.
    """
    num_scenes = len(packed["num_frames"])
    width, height = packed["size"][0].tolist()
    videos = torch.empty(num_scenes, 3, num_frames, height, width, dtype=torch.uint8, device=device)
    for first in range(0, num_scenes, rows_at_once):
        rows = {key: tensor[first : first + rows_at_once].to(device) for key, tensor in packed.items()}
        videos[first : first + rows_at_once] = _render_rows(rows, num_frames, width, height)
    return videos


def _render_rows(rows: Packed, num_frames: int, width: int, height: int) -> torch.Tensor:
    time = torch.arange(num_frames, device=rows["num_frames"].device) / (rows["num_frames"][:, None] - 1).clamp(min=1)
    texture = torch.zeros(len(time), 3, height, width, device=time.device)
    for key in TEXTURE_KEYS:
        texture += torch.nn.functional.interpolate(rows[key], (height, width), mode="bicubic", align_corners=True)
    ground = (rows["ground"][:, :, None, None] + texture).permute(0, 2, 3, 1)  # (scenes, height, width, 3)
    canvas = ground[:, None].expand(-1, num_frames, -1, -1, -1).contiguous()
    for slot in range(MAX_FIGURES):
        drawn = (rows["figure_shape"][:, slot] != NO_SHAPE).nonzero()[:, 0]
        if len(drawn):
            figures = {key: rows[key][drawn, slot] for key in rows if key.startswith("figure_")}
            colour, opacity = _draw_figures(figures, time[drawn], width, height)
            canvas[drawn] = torch.lerp(canvas[drawn], colour, opacity[..., None])
    return canvas.round().clamp(0, 255).to(torch.uint8).permute(0, 4, 1, 2, 3)


def _draw_figures(figures: Packed, time: torch.Tensor, width: int, height: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw one figure of each scene: colour (scenes, frames, height, width, 3) and opacity, without the last axis."""
    points, radius = _figure_coordinates(figures, time, width, height)
    early, late, stripes, mark = figures["figure_colours"].unbind(1)  # (scenes, 3) each
    start, end = figures["figure_late_interval"][:, None].unbind(-1)
    fade = ((time - start) / (end - start).clamp(min=1e-6)).clamp(0, 1)
    colour = torch.lerp(early[:, None], late[:, None], fade[..., None])[:, :, None, None]  # (scenes, frames, 1, 1, 3)
    to_edge = ((points[..., 0] / 0.7) % 1 - 0.5).abs() - 0.25  # stripes as in demo.scenes.draw_figure
    share = coverage(to_edge * 0.7 * radius) * figures["figure_has_stripes"][:, None, None, None]
    colour = torch.lerp(colour, stripes[:, None, None, None], share[..., None])
    mark_radius, *offset = figures["figure_mark"].unbind(-1)
    mark_points = (points - torch.stack(offset, -1)[:, None, None, None]) / mark_radius[:, None, None, None, None]
    mark_distance = _distances(mark_points, figures["figure_mark_shape"])
    share = coverage(mark_distance * mark_radius[:, None, None, None] * radius)
    colour = torch.lerp(colour, mark[:, None, None, None], share[..., None])
    return colour, coverage(_distances(points, figures["figure_shape"]) * radius)


def _distances(points: torch.Tensor, shapes: torch.Tensor) -> torch.Tensor:
    """Measure the signed distance to each row's own shape; far outside where it has none."""
    distances = torch.full(points.shape[:-1], 1e3, device=points.device)
    for index, name in enumerate(SHAPE_NAMES):
        chosen = (shapes == index).nonzero()[:, 0]
        if len(chosen):
            distances[chosen] = SHAPES[name](points[chosen])
    return distances


def _figure_coordinates(
    figures: Packed, time: torch.Tensor, width: int, height: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Express pixel centres in each figure's coordinates; see demo.scenes.figure_coordinates.

    Returns:
        (scenes, frames, height, width, 2) x and y, and the radius in pixels, (scenes, frames, 1, 1).
    """
    first, middle, last = figures["figure_path"][:, None].unbind(2)  # (scenes, 1, 2) each
    progress = time[..., None]
    centre = torch.lerp(torch.lerp(first, middle, progress), torch.lerp(middle, last, progress), progress)
    centre = centre * torch.tensor([width, height], device=time.device)
    radius = torch.lerp(*figures["figure_radius"][:, None].unbind(-1), time) * min(width, height)
    angle = torch.deg2rad(torch.lerp(*figures["figure_rotation"][:, None].unbind(-1), time))
    right = (torch.arange(width, device=time.device) + 0.5 - centre[..., :1])[:, :, None, :]
    down = (torch.arange(height, device=time.device) + 0.5 - centre[..., 1:])[:, :, :, None]
    cosine, sine = angle.cos()[..., None, None], angle.sin()[..., None, None]
    turned = torch.stack([cosine * right + sine * down, cosine * down - sine * right], dim=-1)
    radius = radius[..., None, None]
    return turned / radius[..., None], radius
