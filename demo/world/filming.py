"""How a scene is filmed: where the camera looks in each frame, and what light does to what it sees."""

from dataclasses import dataclass

import numpy as np
import torch

from demo.world.scenes import Scene

Packed = dict[str, torch.Tensor]
"""Scenes as tensors, one row each: the scene's own, and `figure_*` with a second axis for its figures."""

SHAKE_RATES = (1.5, 5.0)  # of the two waves of an unsteady hand, in turns per clip
SHADOW_LENGTH, SHADOW_SOFTNESS = 0.35, 0.35  # of a shadow, in radii of its figure


@dataclass(frozen=True)
class View:
    """What the camera sees of the ground, in pixels; at rest in the first frame.

    Attributes:
        offset: (scenes, frames, 2) by which it has moved right and down.
        shaken: (scenes, frames, 2) the part of it that is a hand's.
        zoom: (scenes, frames) by which things have grown.
        moves: (scenes,) bool.
    """

    offset: torch.Tensor
    shaken: torch.Tensor
    zoom: torch.Tensor
    moves: torch.Tensor

    def of(self, rows: torch.Tensor) -> "View":
        """Return the views of some scenes."""
        return View(self.offset[rows], self.shaken[rows], self.zoom[rows], self.moves[rows])


def pack_filming(scene: Scene) -> dict[str, np.ndarray]:
    """Turn a scene's camera and light into one row of each tensor."""
    camera, light = scene.camera, scene.light
    path = (*camera.path, camera.path[-1], camera.path[-1])[:3] if len(camera.path) != 2 else _through(camera.path)
    assert path[0] == (0.0, 0.0), "a camera that is not at rest in the first frame"
    generator = np.random.default_rng(camera.shake_seed)
    rates = generator.uniform(*SHAKE_RATES, size=(2, 2))  # axes, waves
    phases = generator.uniform(0, 2 * np.pi, size=(2, 2))
    angle = np.deg2rad(light.angle)
    return {
        "camera_path": np.array(path, np.float32),
        "camera_zoom": np.array(camera.zoom, np.float32),
        "camera_shake": np.array(camera.shake / 4, np.float32),  # the sum of two waves less their start is up to 4
        "camera_waves": np.stack((2 * np.pi * rates, phases), axis=-1).astype(np.float32),
        "camera_moves": np.array(len(set(camera.path)) > 1 or camera.zoom != 1 or camera.shake > 0),
        "light": np.array((np.cos(angle), np.sin(angle), *light.slope, light.shading, light.shadow), np.float32),
    }


def _through(path: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    (x1, y1), (x2, y2) = path
    return (x1, y1), ((x1 + x2) / 2, (y1 + y2) / 2), (x2, y2)


def film(rows: Packed, time: torch.Tensor, width: int, height: int) -> View:
    """Tell where the camera looks.

    Args:
        rows: see `pack_filming`.
        time: (scenes, frames), 0 to 1.
        width, height: of the frame, in pixels.
    """
    shorter = min(width, height)
    first, middle, last = rows["camera_path"][:, None].unbind(2)  # (scenes, 1, 2) each
    progress = time[..., None]
    path = torch.lerp(torch.lerp(first, middle, progress), torch.lerp(middle, last, progress), progress)
    rate, phase = rows["camera_waves"][:, None].unbind(-1)  # (scenes, 1, axes, waves) each
    waves = (rate * time[..., None, None] + phase).sin() - phase.sin()
    shaken = rows["camera_shake"][:, None, None] * waves.sum(-1) * shorter
    zoom = rows["camera_zoom"][:, None] ** time  # as steadily as the eye sees it
    return View(path * shorter + shaken, shaken, zoom, rows["camera_moves"])


def light_up(canvas: torch.Tensor, rows: Packed, time: torch.Tensor) -> torch.Tensor:
    """Make a canvas (scenes, frames, height, width, 3) brighter towards the light."""
    height, width = canvas.shape[2:4]
    towards_x, towards_y, start, end = rows["light"][:, :4, None, None, None].unbind(1)
    right = (torch.arange(width, device=canvas.device) + 0.5 - width / 2) / min(width, height)
    down = (torch.arange(height, device=canvas.device) + 0.5 - height / 2) / min(width, height)
    slope = torch.lerp(start, end, time[..., None, None])
    gain = slope * (towards_x * right + towards_y * down[:, None])
    return canvas * (1 + gain[..., None])
