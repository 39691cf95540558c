"""Videos of a moving square and edits of them, whose masks are known."""

from typing import Any

import cv2
import numpy as np

from lib.masks.edit_mask import MaskSettings
from lib.masks.object_links import Detection
from lib.masks.region_paths import METHODS

HEIGHT, WIDTH, FRAMES = 120, 160, 9
SETTINGS = MaskSettings(
    methods=METHODS,
    shape="loose_box",
    margin=0.15,
    min_margin=16,
    object_margin=0.05,
    object_min_margin=8,
    smoothing=2,
    difference_threshold=6.0,
    global_share=0.65,
    min_confidence=0.5,
    frame_stride=4,
)


def texture(height: int, width: int, seed: int) -> np.ndarray:
    """Return a soft random picture (height, width, 3) uint8 around mid-grey."""
    noise = np.random.default_rng(seed).normal(0, 1, (height, width, 3))
    return np.clip(128 + 60 * cv2.GaussianBlur(noise, (0, 0), 2) * 4, 0, 255).astype(np.uint8)


def moving_square(step: int = 4, side: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Return a video of a textured square that moves right, and its boxes (frames, 4)."""
    video = np.repeat(texture(HEIGHT, WIDTH, 0)[None], FRAMES, axis=0)
    boxes = np.array([[20 + step * t, 40, 20 + side + step * t, 40 + side] for t in range(FRAMES)], np.float64)
    for picture, (left, top, right, bottom) in zip(video, boxes.astype(int), strict=True):
        picture[top:bottom, left:right] = texture(side, side, 1)
    return video, boxes


def painted(picture: np.ndarray, box: Any, colour: tuple[int, int, int] = (230, 30, 30)) -> np.ndarray:
    """Return a copy with a box (left, top, right, bottom) filled."""
    left, top, right, bottom = (int(edge) for edge in box)
    edited = picture.copy()
    edited[top:bottom, left:right] = colour
    return edited


def as_detections(boxes: np.ndarray, name: str = "thing") -> list[Detection]:
    """Return what the detector gives for one object with boxes (frames, 4), NaN where it is missed."""
    return [Detection(index, name, box, 1.0) for index, box in enumerate(boxes) if not np.isnan(box[0])]


def holds(mask: np.ndarray, box: Any) -> bool:
    """Tell whether a plane is True throughout a box."""
    left, top, right, bottom = (int(edge) for edge in box)
    return bool(mask[top:bottom, left:right].all())


def cut_video(at: int) -> np.ndarray:
    """Return a moving square that gives way to another place at a frame."""
    video, _ = moving_square()
    video[at:] = np.clip(texture(HEIGHT, WIDTH, 9).astype(int) * [0.4, 0.9, 1.4] + 20, 0, 255).astype(np.uint8)
    return video
