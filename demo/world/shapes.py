"""The world's shapes: signed distance to the outline of a shape of radius 1; negative inside, y points down."""

from collections.abc import Callable
from math import cos, pi, sin

import torch

from demo.world.scenes import Point


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
