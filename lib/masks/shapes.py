"""From the paths of regions to masks (frames, height, width): loose boxes, tight outlines, noisy outlines."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from lib.masks.boxes import Boxes, box_of, draw_box, smooth_path, widest
from lib.masks.differences import scaled
from lib.masks.region_paths import WHOLE_OBJECT, RegionPath
from lib.video.arrays import Mask

NOISE_CELL = 7  # pixels at 480p; paper, "Tight vs. Noisy vs. BBox Masks"
NOISE_SHARE = 0.5  # of the cells along the outline


@dataclass(frozen=True)
class Margin:
    """How much wider than its path a loose box is, on each side.

    Attributes:
        share: of the box's width and height.
        least: pixels of the frame it is drawn on.
    """

    share: float
    least: int


def draw_loose(
    paths: Sequence[RegionPath],
    shape: tuple[int, int, int],
    margin: Margin,
    object_margin: Margin,
    frame_stride: int,
    smoothing: int = 2,
) -> Mask:
    """Draw the paths' boxes, smoothed, widened, and the same in frames that share a latent frame.

    Args:
        paths: of regions.
        shape: frames, height and width of the mask.
        margin: of parts of objects, of what was followed without a detector, and of frames that a path was filled in.
        object_margin: of whole objects where they were detected: those boxes are sure.
        frame_stride: frames that share a latent frame, after frame 0.
        smoothing: frames on each side.
    """
    frames, _, _ = shape
    mask = np.zeros(shape, np.bool_)
    for path in paths:
        boxes = smooth_path(path.boxes, smoothing)
        boxes[path.anchor] = widest(np.stack([boxes[path.anchor], box_of(path.region)]))
        sizes = boxes[:, 2:] - boxes[:, :2]
        grown = np.maximum(sizes * margin.share, margin.least)
        if path.method == WHOLE_OBJECT:
            sure = ~path.filled[:, None]
            grown = np.where(sure, np.maximum(sizes * object_margin.share, object_margin.least), grown)
        boxes = np.concatenate([boxes[:, :2] - grown, boxes[:, 2:] + grown], axis=1)
        for start in (0, *range(1, frames, frame_stride)):
            group = slice(start, start + (frame_stride if start else 1))
            mask[group] |= draw_box(widest(boxes[group]), path.region)
    return mask


def draw_tight(paths: Sequence[RegionPath], shape: tuple[int, int, int]) -> Mask:
    """Draw each region's own outline, moved and stretched as its box is; without a margin.

    An outline turns and bends in no other way, so a figure that rotates leaves it; the paper advises against tight
    masks, and they are here to be compared with.
    """
    mask = np.zeros(shape, np.bool_)
    for path in paths:
        for index, box in enumerate(path.carried):
            if not np.isnan(box[0]):
                mask[index] |= path.region if index == path.anchor else _move(path.region, box)
    return mask


def draw_noisy(paths: Sequence[RegionPath], shape: tuple[int, int, int]) -> Mask:
    """Draw tight outlines with half of the square cells along them added, the same half each time."""
    tight = draw_tight(paths, shape)
    _, height, width = shape
    cell = max(2, scaled(NOISE_CELL, height, width))
    rows, columns = -(-height // cell), -(-width // cell)
    generator = np.random.default_rng(0)
    noisy = tight.copy()
    for plane in noisy:
        padded = np.zeros((rows * cell, columns * cell), np.bool_)
        padded[:height, :width] = cv2.dilate(plane.astype(np.uint8), np.ones((cell + 1, cell + 1), np.uint8)) > 0
        touched = padded.reshape(rows, cell, columns, cell).any(axis=(1, 3))
        added = touched & (generator.random((rows, columns)) < NOISE_SHARE)
        plane |= np.kron(added, np.ones((cell, cell), np.bool_))[:height, :width]
    return noisy


def _move(region: Mask, box: Boxes) -> Mask:
    """Stretch a region (height, width) from its own box to another."""
    height, width = region.shape
    left, top, right, bottom = box_of(region)
    scale = (box[2:] - box[:2]) / (right - left, bottom - top)
    offset = box[:2] - scale * (left, top)
    # Pixel centres lie at halves: the map of corners moves them by half of what it stretches.
    offset = offset + (scale - 1) / 2
    matrix = np.array([[scale[0], 0, offset[0]], [0, scale[1], offset[1]]])
    moved = cv2.warpAffine(region.astype(np.float32), matrix, (width, height), flags=cv2.INTER_LINEAR)
    return np.asarray(moved >= 0.5, np.bool_)
