"""A procedural world of moving shapes whose edits have an exact ground truth.

A `Scene` holds everything a clip shows. An edit of a clip is the same scene with some attributes changed
(`dataclasses.replace`), so rendering both gives the edited video pixel for pixel.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import cos, pi, sin

import numpy as np
import torch
from numpy.typing import NDArray

Point = tuple[float, float]

# sRGB, 0 to 255. Saturated, so that a figure stands out from the muted grounds below.
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 38, 38),
    "orange": (245, 130, 32),
    "gold": (250, 200, 40),
    "green": (40, 180, 75),
    "cyan": (40, 205, 215),
    "blue": (45, 85, 225),
    "purple": (135, 50, 185),
    "pink": (245, 125, 185),
    "white": (245, 245, 245),
    "black": (22, 22, 26),
}
GROUNDS: dict[str, tuple[int, int, int]] = {
    "grey": (118, 120, 124),
    "green": (92, 122, 88),
    "brown": (124, 100, 78),
    "blue": (88, 108, 136),
    "beige": (172, 156, 130),
}


@dataclass(frozen=True)
class Motion:
    """Where a figure is, how large and how turned; time runs from 0 (first frame) to 1 (last frame).

    Attributes:
        path: Bezier control points, (x, y) as fractions of the frame's width and height; one point = still.
        radius: at the first and the last frame, as a fraction of the frame's shorter side.
        rotation: at the first and the last frame, in degrees, clockwise on the screen.
    """

    path: tuple[Point, ...]
    radius: tuple[float, float] = (0.17, 0.17)
    rotation: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Mark:
    """A small shape painted on a figure, which it follows.

    Attributes:
        shape: a key of SHAPES.
        colour: a key of COLOURS.
        radius: as a fraction of the figure's radius.
        offset: (x, y) from the figure's centre, as a fraction of the figure's radius, turning with it.
    """

    shape: str
    colour: str
    radius: float = 0.5
    offset: Point = (0.0, 0.0)


@dataclass(frozen=True)
class Figure:
    """A shape, its appearance and its motion.

    Attributes:
        shape: a key of SHAPES.
        colour: a key of COLOURS.
        stripe_colour: a key of COLOURS; None = solid.
        late_colour: a key of COLOURS that `colour` fades into over `late_interval`; None = constant.
        late_interval: start and end of that fade, in clip time (0 to 1).
        mark: painted on top.
    """

    shape: str
    colour: str
    motion: Motion
    stripe_colour: str | None = None
    late_colour: str | None = None
    late_interval: tuple[float, float] = (0.3, 0.5)
    mark: Mark | None = None


@dataclass(frozen=True)
class Scene:
    """Everything a clip shows.

    Attributes:
        figures: from the back to the front.
        ground: a key of GROUNDS.
        texture_seed: of the ground's texture.
        width, height: pixels.
        num_frames: frames.
        fps: frames per second.
    """

    figures: tuple[Figure, ...]
    ground: str = "grey"
    texture_seed: int = 0
    width: int = 160
    height: int = 96
    num_frames: int = 25
    fps: int = 24


# --- Shapes: signed distance to the outline of a shape of radius 1; negative inside, y points down. ---


def polygon_distance(points: torch.Tensor, vertices: tuple[Point, ...]) -> torch.Tensor:
    """Measure the exact signed distance to a simple polygon.

    Args:
        points: (..., 2), x and y.
        vertices: the corners in order, either way round.

    Returns:
        (...), in the units of `points`. After I. Quilez, "2D distance functions", sdPolygon.
    """
    nearest = torch.full_like(points[..., 0], float("inf"))
    inside = torch.zeros_like(nearest, dtype=torch.bool)
    for (x1, y1), (x2, y2) in zip(vertices, vertices[1:] + vertices[:1], strict=True):
        from_corner_x, from_corner_y = points[..., 0] - x1, points[..., 1] - y1
        edge_x, edge_y = x2 - x1, y2 - y1
        dot = from_corner_x * edge_x + from_corner_y * edge_y
        along = (dot / (edge_x**2 + edge_y**2)).clamp(0, 1)
        gap = (from_corner_x - along * edge_x) ** 2 + (from_corner_y - along * edge_y) ** 2
        nearest = torch.minimum(nearest, gap)
        # Even-odd rule: each edge that a ray towards +x crosses flips inside and outside.
        straddles = (points[..., 1] >= y1) != (points[..., 1] >= y2)
        right_of_edge = (from_corner_y * edge_x > from_corner_x * edge_y) == (edge_y > 0)
        inside ^= straddles & right_of_edge
    return torch.where(inside, -nearest.sqrt(), nearest.sqrt())


def regular_star(num_points: int, inner_radius: float) -> tuple[Point, ...]:
    """List the corners of a star of outer radius 1 with one tip up."""
    radii = (1.0, inner_radius)
    turns = [(radii[corner % 2], pi * corner / num_points) for corner in range(2 * num_points)]
    return tuple((radius * sin(angle), -radius * cos(angle)) for radius, angle in turns)


def circle(points: torch.Tensor) -> torch.Tensor:
    """Signed distance to a disc of radius 0.9."""
    return torch.linalg.vector_norm(points, dim=-1) - 0.9


def square(points: torch.Tensor) -> torch.Tensor:
    """Signed distance to a square of side 1.6."""
    return polygon_distance(points, ((-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)))


def triangle(points: torch.Tensor) -> torch.Tensor:
    """Signed distance to an equilateral triangle of circumradius 1.1."""
    return polygon_distance(points, ((0.0, -1.1), (0.953, 0.55), (-0.953, 0.55)))


def star(points: torch.Tensor) -> torch.Tensor:
    """Signed distance to a five-pointed star of radius 1.1."""
    return 1.1 * polygon_distance(points / 1.1, regular_star(num_points=5, inner_radius=0.45))


def ring(points: torch.Tensor) -> torch.Tensor:
    """Signed distance to a ring between radius 0.5 and 1."""
    return (torch.linalg.vector_norm(points, dim=-1) - 0.75).abs() - 0.25


def cross(points: torch.Tensor) -> torch.Tensor:
    """Signed distance to a plus sign of arm length 1 and arm width 0.64."""
    quarter = ((0.32, -1.0), (0.32, -0.32), (1.0, -0.32))
    corners = [corner for turn in range(4) for corner in _turn_corners(quarter, turn)]
    return polygon_distance(points, tuple(corners))


def _turn_corners(corners: tuple[Point, ...], quarter_turns: int) -> tuple[Point, ...]:
    for _ in range(quarter_turns):
        corners = tuple((-y, x) for x, y in corners)
    return corners


SHAPES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "circle": circle,
    "square": square,
    "triangle": triangle,
    "star": star,
    "ring": ring,
    "cross": cross,
}


# --- Rendering ---


def render(scene: Scene, device: str = "cpu") -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Draw a scene, antialiased.

    Args:
        scene: what to draw.
        device: where to compute; another device may round a colour differently.

    Returns:
        The decoded video, (frames, height, width, 3) uint8 RGB, and where each figure is visible,
        (figures, frames, height, width) bool: covered parts of a figure are False.
    """
    canvas = draw_ground(scene).to(device).expand(scene.num_frames, -1, -1, -1)
    masks: list[torch.Tensor] = []
    for figure in scene.figures:
        colour, opacity = draw_figure(figure, scene, device)
        canvas = torch.lerp(canvas, colour, opacity[..., None])
        solid = opacity > 0.5
        masks = [mask & ~solid for mask in masks] + [solid]
    video = canvas.round().clamp(0, 255).to(torch.uint8)
    no_figure = torch.zeros(0, *video.shape[:-1], dtype=torch.bool)
    return video.cpu().numpy(), (torch.stack(masks) if masks else no_figure).cpu().numpy()


def draw_ground(scene: Scene) -> torch.Tensor:
    """Draw the textured still ground.

    Returns:
        (height, width, 3) float, 0 to 255.
    """
    generator = torch.Generator().manual_seed(scene.texture_seed)
    shorter = min(scene.width, scene.height)
    texture = torch.zeros(1, 3, scene.height, scene.width)
    for cells, contrast in ((2, 26.0), (5, 16.0), (12, 8.0)):  # per shorter side; grey levels
        grid = (1 + cells * scene.height // shorter, 1 + cells * scene.width // shorter)
        # Mostly shared by the three channels: light and dark patches with a slight tint.
        noise = torch.rand(1, 1, *grid, generator=generator) - 0.5
        tint = torch.rand(1, 3, *grid, generator=generator) - 0.5
        coarse = contrast * (2 * noise + 0.5 * tint)
        texture += torch.nn.functional.interpolate(
            coarse, (scene.height, scene.width), mode="bicubic", align_corners=True
        )
    return torch.tensor(GROUNDS[scene.ground]) + texture[0].permute(1, 2, 0)


def draw_figure(figure: Figure, scene: Scene, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw one figure in every frame.

    Returns:
        Its colour, (frames, height, width, 3) float, 0 to 255, and its opacity, (frames, height, width), 0 to 1.
    """
    points, radius = figure_coordinates(figure.motion, scene, device)
    colour = colour_over_time(figure, scene.num_frames, device)[:, None, None].expand(*points.shape[:-1], 3)
    if figure.stripe_colour is not None:
        period = 0.7  # in radii: two or three stripes on a figure
        to_stripe_edge = ((points[..., 0] / period) % 1 - 0.5).abs() - 0.25
        colour = paint(colour, figure.stripe_colour, to_stripe_edge * period * radius)
    if figure.mark is not None:
        mark = figure.mark
        mark_points = (points - torch.tensor(mark.offset, device=device)) / mark.radius
        colour = paint(colour, mark.colour, SHAPES[mark.shape](mark_points) * mark.radius * radius)
    return colour, coverage(SHAPES[figure.shape](points) * radius)


def paint(colour: torch.Tensor, paint_colour: str, distance: torch.Tensor) -> torch.Tensor:
    """Cover the inside of an outline with a colour; `distance` is signed, in pixels."""
    fresh = torch.tensor(COLOURS[paint_colour], dtype=colour.dtype, device=colour.device)
    return torch.lerp(colour, fresh.expand_as(colour), coverage(distance)[..., None])


def coverage(distance: torch.Tensor) -> torch.Tensor:
    """Turn a signed distance in pixels into the share of the pixel that is inside, 0 to 1."""
    return (0.5 - distance).clamp(0, 1)


def figure_coordinates(motion: Motion, scene: Scene, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Express every pixel's centre in a figure's own coordinates: origin at its centre, unit = its radius.

    Returns:
        (frames, height, width, 2) x and y, and the radius in pixels, (frames, 1, 1).
    """
    time = torch.linspace(0, 1, scene.num_frames, device=device)
    centre = positions(motion.path, time) * torch.tensor([scene.width, scene.height], device=device)
    (first_radius, last_radius), (first_angle, last_angle) = motion.radius, motion.rotation
    radius = (first_radius + (last_radius - first_radius) * time) * min(scene.width, scene.height)
    angle = torch.deg2rad(first_angle + (last_angle - first_angle) * time)
    x = torch.arange(scene.width, device=device) + 0.5 - centre[:, 0, None]  # (frames, width)
    y = torch.arange(scene.height, device=device) + 0.5 - centre[:, 1, None]  # (frames, height)
    right, down = x[:, None, :], y[:, :, None]
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
    turned = torch.stack([cosine * right + sine * down, cosine * down - sine * right], dim=-1)
    return turned / radius[:, None, None, None], radius[:, None, None]


def positions(path: tuple[Point, ...], time: torch.Tensor) -> torch.Tensor:
    """Follow a Bezier curve (de Casteljau): `time` (frames,) in 0 to 1 -> (frames, 2)."""
    points = torch.tensor(path, dtype=time.dtype, device=time.device)[:, None].expand(-1, len(time), -1)
    while len(points) > 1:
        points = torch.lerp(points[:-1], points[1:], time[:, None])
    return points[0]


def colour_over_time(figure: Figure, num_frames: int, device: str) -> torch.Tensor:
    """Give a figure's main colour in each frame, (frames, 3), 0 to 255."""
    early = torch.tensor(COLOURS[figure.colour], dtype=torch.float32, device=device)
    late = torch.tensor(COLOURS[figure.late_colour or figure.colour], dtype=torch.float32, device=device)
    start, end = figure.late_interval
    fade = ((torch.linspace(0, 1, num_frames, device=device) - start) / (end - start)).clamp(0, 1)
    return torch.lerp(early.expand(num_frames, 3), late.expand(num_frames, 3), fade[:, None])


# --- Edits, captions, samples ---


def replace_figure(scene: Scene, index: int, figure: Figure) -> Scene:
    """Return the scene with one figure replaced."""
    return replace(scene, figures=scene.figures[:index] + (figure,) + scene.figures[index + 1 :])


def edit_region(source: NDArray[np.uint8], edited: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Find the pixels that an edit changes.

    Args:
        source: the source video, (frames, height, width, 3) uint8 RGB.
        edited: the edited video, of the same shape.

    Returns:
        (frames, height, width) bool, True = differs.
    """
    frames, height, width, channels = source.shape
    assert edited.shape == source.shape, (edited.shape, source.shape)
    return np.any(source != edited, axis=-1)


def figure_boxes(masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Bound what is visible of each figure.

    Args:
        masks: (figures, frames, height, width) bool.

    Returns:
        (figures, frames, 4) x1, y1, x2, y2 in pixels, the far edges exclusive; NaN where nothing is visible.
    """
    figures, frames, height, width = masks.shape
    columns, rows = masks.any(axis=2), masks.any(axis=3)
    boxes = np.stack(
        [
            columns.argmax(axis=-1),
            rows.argmax(axis=-1),
            width - columns[..., ::-1].argmax(axis=-1),
            height - rows[..., ::-1].argmax(axis=-1),
        ],
        axis=-1,
    ).astype(np.float32)
    boxes[~columns.any(axis=-1)] = np.nan
    return boxes


def describe_figure(figure: Figure) -> str:
    """Name a figure in plain English, such as "a red star with white stripes"."""
    phrase = f"{_article(figure.colour)} {figure.colour} {figure.shape}"
    if figure.stripe_colour is not None:
        phrase += f" with {figure.stripe_colour} stripes"
    if figure.mark is not None:
        phrase += f" with {_article(figure.mark.colour)} {figure.mark.colour} {figure.mark.shape} on it"
    if figure.late_colour is not None:
        phrase += f" that becomes {figure.late_colour}"
    return phrase


def caption(scene: Scene, with_motion: bool = True) -> str:
    """Describe a scene, such as "a red star moving to the right over a green ground, beside a gold square".

    Args:
        scene: what to describe.
        with_motion: False = only what a single frame shows.
    """
    movers = [figure for figure in scene.figures if len(figure.motion.path) > 1]
    still = [figure for figure in scene.figures if len(figure.motion.path) == 1]
    seen = [
        f"{describe_figure(figure)} moving {_direction(figure.motion)}" if with_motion else describe_figure(figure)
        for figure in movers
    ]
    phrase = f"{' and '.join(seen) or 'nothing moving'} over {_article(scene.ground)} {scene.ground} ground"
    return phrase + "".join(f", beside {describe_figure(figure)}" for figure in still)


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def _direction(motion: Motion) -> str:
    (x1, y1), (x2, y2) = motion.path[0], motion.path[-1]
    if abs(x2 - x1) >= abs(y2 - y1):
        return "to the right" if x2 > x1 else "to the left"
    return "down" if y2 > y1 else "up"


def random_scene(
    generator: np.random.Generator, width: int = 160, height: int = 96, num_frames: int = 25, max_movers: int = 2
) -> Scene:
    """Draw a scene at random: one still shape half of the time, and one or more movers."""
    still = [random_figure(generator, moving=False)] if generator.random() < 0.5 else []
    movers = [random_figure(generator, moving=True) for _ in range(generator.integers(1, max_movers + 1))]
    return Scene(
        figures=tuple(still + movers),
        ground=str(generator.choice(list(GROUNDS))),
        texture_seed=int(generator.integers(2**31)),
        width=width,
        height=height,
        num_frames=num_frames,
    )


def random_figure(generator: np.random.Generator, moving: bool) -> Figure:
    """Draw a figure at random; a mover crosses at least 0.3 of the frame's width or height."""
    colour, other = (str(name) for name in generator.choice(list(COLOURS), size=2, replace=False))
    start, end = generator.uniform(0.15, 0.85, size=(2, 2))
    crossed_axis = generator.integers(2)
    ends = generator.permutation([generator.uniform(0.15, 0.35), generator.uniform(0.65, 0.85)])
    start[crossed_axis], end[crossed_axis] = ends if moving else (start[crossed_axis], end[crossed_axis])
    middle = (start + end) / 2 + generator.uniform(-0.25, 0.25, size=2)
    path = [start, middle, end] if moving else [start]
    first_angle = generator.uniform(-180, 180)
    turn = generator.uniform(-180, 180) if moving else 0.0
    first_radius = generator.uniform(0.13, 0.2)
    growth = generator.uniform(0.8, 1.3) if moving else 1.0
    return Figure(
        shape=str(generator.choice(list(SHAPES))),
        colour=colour,
        motion=Motion(
            path=tuple((float(x), float(y)) for x, y in path),
            radius=(float(first_radius), float(first_radius * growth)),
            rotation=(float(first_angle), float(first_angle + turn)),
        ),
        stripe_colour=other if generator.random() < 0.35 else None,
    )
