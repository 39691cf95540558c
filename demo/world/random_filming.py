"""Film a scene at random: a camera that moves, light from one side, shadows, a fine pattern on the figures."""

from dataclasses import replace

import numpy as np

from demo.world.scenes import Camera, Figure, Light, Scene, is_mover

MOVING_SHARE = 0.7  # of the scenes: the camera moves
ZOOMING_SHARE, SHAKEN_SHARE = 0.5, 0.35  # of these
LIT_SHARE, SHADOW_SHARE, GRAIN_SHARE = 0.7, 0.6, 0.5  # of the scenes, of these, of the figures
FURTHEST = 0.6  # that the camera goes in a clip, in shorter sides


def film_at_random(generator: np.random.Generator, scene: Scene) -> Scene:
    """Return a scene as somebody with a camera in the hand might film it; its first frame shows the same figures."""
    camera = random_camera(generator) if generator.random() < MOVING_SHARE else Camera()
    light = random_light(generator) if generator.random() < LIT_SHARE else Light()
    return replace(
        scene,
        figures=tuple(_with_details(generator, figure) for figure in scene.figures),
        camera=camera,
        light=light,
    )


def random_camera(generator: np.random.Generator) -> Camera:
    """Draw a pan along a curve, and perhaps a zoom and an unsteady hand."""
    angle, reach = generator.uniform(0, 2 * np.pi), generator.uniform(0.15, FURTHEST)
    end = reach * np.array((np.cos(angle), np.sin(angle)))
    middle = end / 2 + generator.uniform(-0.1, 0.1, size=2)
    zoom = float(np.exp(generator.uniform(-0.25, 0.3))) if generator.random() < ZOOMING_SHARE else 1.0
    shake = float(generator.uniform(0.01, 0.04)) if generator.random() < SHAKEN_SHARE else 0.0
    path = ((0.0, 0.0), (float(middle[0]), float(middle[1])), (float(end[0]), float(end[1])))
    return Camera(path, zoom, shake, int(generator.integers(2**31)))


def random_light(generator: np.random.Generator) -> Light:
    """Draw light that waxes or wanes, with or without shadows."""
    start, end = generator.uniform(0.0, 0.25, size=2)
    return Light(
        angle=float(generator.uniform(0, 360)),
        slope=(float(start), float(end)),
        shading=float(generator.uniform(0.1, 0.3)),
        shadow=float(generator.uniform(0.2, 0.45)) if generator.random() < SHADOW_SHARE else 0.0,
    )


def _with_details(generator: np.random.Generator, figure: Figure) -> Figure:
    has_grain, strength = generator.random() < GRAIN_SHARE, float(generator.uniform(6, 14))
    seed, depth = int(generator.integers(2**31)), float(generator.uniform(1.0, 1.6))
    return replace(
        figure,
        grain=strength if has_grain else 0.0,
        grain_seed=seed,
        depth=1.0 if is_mover(figure) else depth,
    )
