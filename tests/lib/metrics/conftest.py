"""A ground that moves to the right, an edit in its middle, and its motion."""

import cv2
import numpy as np
import pytest

from lib.metrics.motion import measure_motion
from tests.lib.metrics.example_video import FRAMES, HEIGHT, WIDTH


@pytest.fixture
def source() -> np.ndarray:
    """A textured ground that moves 2 pixels right per frame: (4, 48, 64, 3) uint8."""
    noise = np.random.default_rng(0).normal(0, 1, (HEIGHT, WIDTH + 16, 3))
    ground = np.clip(128 + 200 * cv2.GaussianBlur(noise, (0, 0), 2), 0, 255).astype(np.uint8)
    return np.stack([ground[:, 8 - 2 * index : 8 - 2 * index + WIDTH] for index in range(FRAMES)])


@pytest.fixture
def edit_mask() -> np.ndarray:
    """The middle of each frame, (4, 48, 64)."""
    mask = np.zeros((FRAMES, HEIGHT, WIDTH), np.bool_)
    mask[:, 12:36, 16:48] = True
    return mask


@pytest.fixture
def motion(source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The source's flow and where it holds."""
    return measure_motion(source)
