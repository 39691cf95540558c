"""The textured ground that figures stand on: larger than the frame, for a camera that moves over it."""

from math import ceil

import numpy as np
import torch
import torch.nn.functional as F

from demo.world.filming import Packed, View
from demo.world.scenes import GROUNDS, Scene

OCTAVES = ((2, 26.0), (5, 16.0), (12, 8.0))  # cells per shorter side, contrast in grey levels
TEXTURE_KEYS = tuple(f"texture_{cells}" for cells, _ in OCTAVES)
MARGIN = 0.75  # of the ground beyond the frame, in shorter sides; beyond that its edge goes on


def pack_ground(scene: Scene) -> dict[str, np.ndarray]:
    """Draw the ground of a scene: its colour, and coarse noise of each octave, (3, rows, columns)."""
    generator = torch.Generator().manual_seed(scene.texture_seed)
    shorter = min(scene.width, scene.height)
    grids = []
    for cells, _ in OCTAVES:  # first what the first frame shows, which does not depend on what lies beyond
        grids.append(_draw_noise(generator, 1 + cells * scene.height // shorter, 1 + cells * scene.width // shorter))
    beyond = torch.Generator().manual_seed(scene.texture_seed + 1)
    row = {"ground": np.array(GROUNDS[scene.ground], np.float32)}
    for (cells, contrast), key, grid in zip(OCTAVES, TEXTURE_KEYS, grids, strict=True):
        margin, (rows, columns) = _margin(cells), grid.shape[1:]
        wide = _draw_noise(beyond, rows + 2 * margin, columns + 2 * margin)
        wide[:, margin:-margin, margin:-margin] = grid
        row[key] = (contrast * wide).numpy()
    return row


def _draw_noise(generator: torch.Generator, rows: int, columns: int) -> torch.Tensor:
    # Mostly shared by the three channels: light and dark patches with a slight tint.
    noise = torch.rand(1, 1, rows, columns, generator=generator) - 0.5
    tint = torch.rand(1, 3, rows, columns, generator=generator) - 0.5
    return (2 * noise + 0.5 * tint)[0]


def _margin(cells: int) -> int:
    return ceil(cells * MARGIN)


def draw_ground(rows: Packed, view: View, num_frames: int, width: int, height: int) -> torch.Tensor:
    """Draw the ground as the camera sees it, (scenes, frames, height, width, 3), in grey levels."""
    num_scenes = len(view.moves)
    canvas = torch.empty(num_scenes, num_frames, height, width, 3, device=view.zoom.device)
    still, moving = (~view.moves).nonzero()[:, 0], view.moves.nonzero()[:, 0]
    if len(still):
        canvas[still] = _draw_still({key: rows[key][still] for key in (*TEXTURE_KEYS, "ground")}, width, height)
    if len(moving):
        chosen = {key: rows[key][moving] for key in (*TEXTURE_KEYS, "ground")}
        canvas[moving] = _draw_passing(chosen, view.of(moving), num_frames, width, height)
    return canvas


def _draw_still(rows: Packed, width: int, height: int) -> torch.Tensor:
    texture = torch.zeros(len(rows["ground"]), 3, height, width, device=rows["ground"].device)
    for (cells, _), key in zip(OCTAVES, TEXTURE_KEYS, strict=True):
        margin = _margin(cells)
        seen = rows[key][:, :, margin:-margin, margin:-margin]
        texture += F.interpolate(seen, (height, width), mode="bicubic", align_corners=True)
    return (rows["ground"][:, :, None, None] + texture).permute(0, 2, 3, 1)[:, None]


def _draw_passing(rows: Packed, view: View, num_frames: int, width: int, height: int) -> torch.Tensor:
    """Look up, for each pixel of each frame, the point of the ground that is seen there."""
    device = view.zoom.device
    zoom = view.zoom[..., None, None]
    right = (torch.arange(width, device=device) - (width - 1) / 2) / zoom + (width - 1) / 2
    down = (torch.arange(height, device=device)[:, None] - (height - 1) / 2) / zoom + (height - 1) / 2
    right, down = (place + view.offset[..., axis, None, None] for axis, place in enumerate((right, down)))
    places = torch.stack(torch.broadcast_tensors(right, down), dim=-1)  # (scenes, frames, height, width, 2), pixels
    texture = torch.zeros(len(zoom), 3, num_frames * height, width, device=device)
    for (cells, _), key in zip(OCTAVES, TEXTURE_KEYS, strict=True):
        nodes = torch.tensor(rows[key].shape[:1:-1], device=device)  # columns, rows
        inner = nodes - 2 * _margin(cells)  # of them, those that the frame at rest shows
        node = places * (inner - 1) / torch.tensor((width - 1, height - 1), device=device) + _margin(cells)
        grid = (2 * node / (nodes - 1) - 1).flatten(1, 2)
        texture += F.grid_sample(rows[key], grid, mode="bicubic", padding_mode="border", align_corners=True)
    passing = texture.unflatten(2, (num_frames, height)) + rows["ground"][:, :, None, None, None]
    return passing.permute(0, 2, 3, 4, 1)
