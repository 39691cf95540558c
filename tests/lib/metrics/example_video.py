"""A textured ground that moves, and what is asked of scores of it."""

import numpy as np

FRAMES, HEIGHT, WIDTH = 4, 48, 64


def unit(rows: list[list[float]]) -> np.ndarray:
    """Return rows scaled to unit length."""
    values = np.array(rows, np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)
