"""Sizes, regions and trackers that the tests of YOLOE and SAM 2 share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lib.masks.boxes import draw_box
from lib.masks.sam2 import make_sam2_follower
from lib.masks.yoloe import make_yoloe_follower

NUM_FRAMES, HEIGHT, WIDTH, IMAGE_SIZE = 5, 96, 160, 128
CPU = torch.device("cpu")


def region(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    """A rectangular region of a frame."""
    return draw_box(np.array([left, top, right, bottom], float), np.zeros((HEIGHT, WIDTH), bool))


LEFT, RIGHT = region(10, 10, 60, 70), region(100, 30, 150, 90)
FOLLOWERS: dict[str, Callable[[Path, np.ndarray], Any]] = {
    "yoloe": lambda weights, frames: make_yoloe_follower(weights, frames, 0.1, CPU),
    "sam2": lambda weights, frames: make_sam2_follower(weights, frames, CPU, IMAGE_SIZE),
}
