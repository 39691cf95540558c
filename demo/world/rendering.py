"""Draw scenes, one or thousands at once, on the CPU or a GPU.

Scenes are packed into tensors with one row each, and rows are rendered together.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from demo.world.filming import SHADOW_LENGTH, SHADOW_SOFTNESS, Packed, View, film, light_up, pack_filming
from demo.world.grounds import draw_ground, pack_ground
from demo.world.scenes import COLOURS, Point, Scene, is_mover
from demo.world.shapes import SHAPES

SHAPE_NAMES = list(SHAPES)
NO_SHAPE = -1
MAX_FIGURES = 4
STRIPE_PERIOD = 0.7  # in radii: two or three stripes on a figure
GRAIN_RATES = (9.0, 18.0)  # of a figure's fine pattern, radians per radius: a dozen to six pixels
THINNEST = 0.06  # width of a flipping figure seen edge-on, as a share of its full width


def render(scene: Scene, device: str = "cpu") -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Draw a scene, antialiased.

    Args:
        scene: what to draw.
        device: where to compute; another device may round a colour differently.

    Returns:
        The decoded video, (frames, height, width, 3) uint8 RGB, and where each figure is visible,
        (figures, frames, height, width) bool: covered parts of a figure are False.
    """
    videos, masks = render_with_masks(pack_scenes([scene]), scene.num_frames, device)
    return videos[0].permute(1, 2, 3, 0).cpu().numpy(), masks[0, : len(scene.figures)].cpu().numpy()


# --- Packing ---


def pack_scenes(scenes: Sequence[Scene]) -> Packed:
    """Turn scenes of one size into tensors, one row each.

    Raises:
        AssertionError: sizes differ, a scene has over MAX_FIGURES figures, or a path has over three points.
    """
    assert len({(scene.width, scene.height) for scene in scenes}) == 1, "scenes of one size only"
    rows = [_pack_scene(scene) | pack_filming(scene) | pack_ground(scene) for scene in scenes]
    return {key: torch.from_numpy(np.stack([row[key] for row in rows])) for key in rows[0]}


def _pack_scene(scene: Scene) -> dict[str, np.ndarray]:
    assert len(scene.figures) <= MAX_FIGURES, f"{len(scene.figures)} figures"
    row = {
        "size": np.array((scene.width, scene.height), np.int64),
        "num_frames": np.array(scene.num_frames, np.int64),
        "figure_shape": np.full(MAX_FIGURES, NO_SHAPE, np.int64),
        "figure_path": np.zeros((MAX_FIGURES, 3, 2), np.float32),
        "figure_radius": np.ones((MAX_FIGURES, 2), np.float32),
        "figure_rotation": np.zeros((MAX_FIGURES, 2), np.float32),
        "figure_colours": np.zeros((MAX_FIGURES, 4, 3), np.float32),  # early, late, stripes, mark
        "figure_late_interval": np.ones((MAX_FIGURES, 2), np.float32),
        "figure_flips": np.zeros(MAX_FIGURES, np.bool_),
        "figure_has_stripes": np.zeros(MAX_FIGURES, np.bool_),
        "figure_mark_shape": np.full(MAX_FIGURES, NO_SHAPE, np.int64),
        "figure_mark": np.ones((MAX_FIGURES, 3), np.float32),  # radius, x, y
        "figure_depth": np.ones(MAX_FIGURES, np.float32),
        "figure_is_still": np.zeros(MAX_FIGURES, np.bool_),
        "figure_grain": np.zeros((MAX_FIGURES, 7), np.float32),  # strength; x, y and phase of two waves
    }
    for slot, figure in enumerate(scene.figures):
        row["figure_shape"][slot] = SHAPE_NAMES.index(figure.shape)
        row["figure_path"][slot] = _quadratic_path(figure.motion.path)
        row["figure_radius"][slot] = figure.motion.radius
        row["figure_rotation"][slot] = figure.motion.rotation
        names = (figure.colour, figure.late_colour or figure.colour, figure.stripe_colour or figure.colour)
        row["figure_colours"][slot, :3] = [COLOURS[name] for name in names]
        row["figure_late_interval"][slot] = figure.late_interval
        row["figure_flips"][slot] = figure.flips
        row["figure_has_stripes"][slot] = figure.stripe_colour is not None
        row["figure_depth"][slot], row["figure_is_still"][slot] = figure.depth, not is_mover(figure)
        if figure.grain:
            row["figure_grain"][slot] = (figure.grain, *_draw_waves(figure.grain_seed))
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


def _draw_waves(seed: int) -> NDArray[np.float64]:
    """Draw two waves that cross: x and y per radius and phase, in radians, of each."""
    generator = np.random.default_rng(seed)
    turn = generator.uniform(0, np.pi)
    turns = np.array((turn, turn + generator.uniform(0.3, 0.7) * np.pi))
    rates = generator.uniform(*GRAIN_RATES, size=2)
    phases = generator.uniform(0, 2 * np.pi, size=2)
    return np.stack((rates * np.cos(turns), rates * np.sin(turns), phases), axis=1).ravel()


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
        chosen = slice(first, first + rows_at_once)
        rows = {key: tensor[chosen] for key, tensor in packed.items()}
        videos[chosen] = render_with_masks(rows, num_frames, device)[0]
    return videos


@torch.no_grad()
def render_with_masks(packed: Packed, num_frames: int, device: str = "cpu") -> tuple[torch.Tensor, torch.Tensor]:
    """Render packed scenes, all together, and tell where each figure is visible.

    Returns:
        The videos as `render_packed` does, and (scenes, MAX_FIGURES, frames, height, width) bool.
    """
    rows = {key: tensor.to(device) for key, tensor in packed.items()}
    width, height = packed["size"][0].tolist()
    time = torch.arange(num_frames, device=rows["num_frames"].device) / (rows["num_frames"][:, None] - 1).clamp(min=1)
    view = film(rows, time, width, height)
    canvas = draw_ground(rows, view, num_frames, width, height)
    masks = torch.zeros(len(time), MAX_FIGURES, *canvas.shape[1:4], dtype=torch.bool, device=time.device)
    for slot in range(MAX_FIGURES):
        drawn = (rows["figure_shape"][:, slot] != NO_SHAPE).nonzero()[:, 0]
        if len(drawn):
            figures = {key: rows[key][drawn, slot] for key in rows if key.startswith("figure_")}
            colour, opacity, shadow = _draw_figures(figures, rows["light"][drawn], time[drawn], view.of(drawn), canvas)
            canvas[drawn] = torch.lerp(canvas[drawn] * (1 - shadow[..., None]), colour, opacity[..., None])
            solid = opacity > 0.5
            masks[drawn, :slot] &= ~solid[:, None]
            masks[drawn, slot] = solid
    canvas = light_up(canvas, rows, time)
    return canvas.round().clamp(0, 255).to(torch.uint8).permute(0, 4, 1, 2, 3), masks


def _draw_figures(
    figures: Packed, light: torch.Tensor, time: torch.Tensor, view: View, canvas: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Draw one figure of each scene on a canvas of (..., height, width, 3).

    Returns:
        Its colour (scenes, frames, height, width, 3), and without the last axis its opacity and its shadow's.
    """
    height, width = canvas.shape[2:4]
    start, end = figures["figure_late_interval"][:, None].unbind(-1)
    change = ((time - start) / (end - start).clamp(min=1e-6)).clamp(0, 1)  # (scenes, frames)
    flips = figures["figure_flips"][:, None]
    thinness = torch.where(flips, (torch.pi * change).cos().abs().clamp(min=THINNEST), 1.0)[..., None, None]
    change = torch.where(flips, (change > 0.5).float(), change)
    is_front = 1.0 - (flips & (change > 0.5)).float()[..., None, None]

    sides, radius = _figure_sides(figures, time, view, width, height)
    points = _turn(figures, time, sides, radius, thinness)
    early, late, stripes, mark = figures["figure_colours"].unbind(1)  # (scenes, 3) each
    colour = torch.lerp(early[:, None], late[:, None], change[..., None])[:, :, None, None]  # (scenes, frames, 1, 1, 3)
    to_stripe_edge = ((points[..., 0] / STRIPE_PERIOD) % 1 - 0.5).abs() - 0.25
    share = coverage(to_stripe_edge * STRIPE_PERIOD * radius) * figures["figure_has_stripes"][:, None, None, None]
    colour = torch.lerp(colour, stripes[:, None, None, None], (share * is_front)[..., None])
    mark_radius, *offset = figures["figure_mark"].unbind(-1)
    mark_points = (points - torch.stack(offset, -1)[:, None, None, None]) / mark_radius[:, None, None, None, None]
    mark_distance = _distances(mark_points, figures["figure_mark_shape"])
    share = coverage(mark_distance * mark_radius[:, None, None, None] * radius)
    colour = torch.lerp(colour, mark[:, None, None, None], (share * is_front)[..., None])

    towards = light[:, None, None, None, :2]
    colour = colour * (1 + light[:, 4, None, None, None] * ((sides * towards).sum(-1) / radius).clamp(-1, 1))[..., None]
    colour = colour + _grain(figures["figure_grain"], points)[..., None]
    opacity = coverage(_distances(points, figures["figure_shape"]) * radius)
    darkness = light[:, 5, None, None, None]
    if not darkness.any():
        return colour, opacity, torch.zeros_like(opacity)
    thrown = _turn(figures, time, sides + SHADOW_LENGTH * radius[..., None] * towards, radius, thinness)
    distance = _distances(thrown, figures["figure_shape"]) / SHADOW_SOFTNESS
    return colour, opacity, darkness * coverage(distance)


def _grain(waves: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Draw the fine pattern of figures, see `_draw_waves`."""
    strength, *waves_of = waves[:, None, None, None].unbind(-1)
    (x1, y1, phase1, x2, y2, phase2) = waves_of
    right, down = points.unbind(-1)
    return strength * (x1 * right + y1 * down + phase1).sin() * (x2 * right + y2 * down + phase2).sin()


def coverage(distance: torch.Tensor) -> torch.Tensor:
    """Turn a signed distance in pixels into the share of the pixel that is inside, 0 to 1."""
    return (0.5 - distance).clamp(0, 1)


def _distances(points: torch.Tensor, shapes: torch.Tensor) -> torch.Tensor:
    """Measure the signed distance to each row's own shape; far outside where it has none."""
    distances = torch.full(points.shape[:-1], 1e3, device=points.device)
    for index, name in enumerate(SHAPE_NAMES):
        chosen = (shapes == index).nonzero()[:, 0]
        if len(chosen):
            distances[chosen] = SHAPES[name](points[chosen])
    return distances


def _figure_sides(
    figures: Packed, time: torch.Tensor, view: View, width: int, height: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Tell how far pixel centres are to the right of each figure's centre and below it, in pixels.

    Returns:
        (scenes, frames, height, width, 2), and the radius, (scenes, frames, 1, 1).
    """
    first, middle, last = figures["figure_path"][:, None].unbind(2)  # (scenes, 1, 2) each
    progress = time[..., None]
    centre = torch.lerp(torch.lerp(first, middle, progress), torch.lerp(middle, last, progress), progress)
    size = torch.tensor([width, height], device=time.device)
    centre = centre * size
    radius = torch.lerp(*figures["figure_radius"][:, None].unbind(-1), time) * min(width, height)
    # What stands on the ground goes by with it; what moves has its own way over the frame, and shakes with the rest.
    is_still, moves = figures["figure_is_still"][:, None], view.moves[:, None]
    passed = (centre - size / 2 - view.offset * figures["figure_depth"][:, None, None]) * view.zoom[
        ..., None
    ] + size / 2
    filmed = torch.where(is_still[..., None], passed, centre - view.shaken)
    centre = torch.where(moves[..., None], filmed, centre)
    radius = torch.where(is_still & moves, radius * view.zoom, radius)[..., None, None]
    right = (torch.arange(width, device=time.device) + 0.5 - centre[..., :1])[:, :, None, :]
    down = (torch.arange(height, device=time.device) + 0.5 - centre[..., 1:])[:, :, :, None]
    return torch.stack(torch.broadcast_tensors(right, down), dim=-1), radius


def _turn(
    figures: Packed, time: torch.Tensor, sides: torch.Tensor, radius: torch.Tensor, thinness: torch.Tensor
) -> torch.Tensor:
    """Express places, given as by `_figure_sides`, in each figure's own coordinates: turned, in its radii."""
    angle = torch.deg2rad(torch.lerp(*figures["figure_rotation"][:, None].unbind(-1), time))
    cosine, sine = angle.cos()[..., None, None], angle.sin()[..., None, None]
    right, down = sides.unbind(-1)
    turned = torch.stack([cosine * right + sine * down, cosine * down - sine * right], dim=-1) / radius[..., None]
    return torch.stack([turned[..., 0] / thinness, turned[..., 1]], dim=-1)
