"""Follow what stands on the ground by the camera's motion: nothing that passes in front drags it along."""

import cv2
import numpy as np
from numpy.typing import NDArray

from lib.masks.boxes import Boxes, box_of
from lib.masks.clip_motion import RegionFlows
from lib.masks.differences import scaled
from lib.video.arrays import DecodedVideo, Mask
from lib.video.flow import Flow

GRID = 24  # points across a frame at which the flow is read
LEAST_SIMILAR = 0.6  # share of frames in which the place must look as it did
SIMILAR = 10.0  # mean RGB difference per channel, 0 to 255, up to which two places look alike
LEAST_IN_VIEW = 0.3  # of a region, in a frame that counts


def follow_ground(shot_video: DecodedVideo, anchor: int, region: Mask, shot: slice, flows: RegionFlows) -> Boxes | None:
    """Follow a region by the motion of most of the picture, if what it shows does stand still there.

    Args:
        shot_video: (frames, height, width, 3), the shot alone.
        anchor: frame of the shot in which the region was found.
        region: (height, width) there.
        shot: the shot's frames in the clip.
        flows: of `lib.masks.clip_motion.region_flows`, of the whole clip.

    Returns:
        (frames of the clip, 4), NaN outside of the shot; None where the place looks otherwise in too many frames, or
        at the end: then the region shows something that moves.
    """
    frames, height, width, _ = shot_video.shape
    motions = _camera_motions(shot, anchor, flows, height, width)
    boxes = np.full((len(flows.colours), 4), np.nan)
    like = []
    soft = [cv2.GaussianBlur(picture, (0, 0), max(1.0, scaled(2, height, width))) for picture in shot_video]
    for index, motion in enumerate(motions):
        boxes[shot.start + index] = _move_box(box_of(region), motion)
        back = cv2.warpAffine(
            soft[index].astype(np.float32), motion[:2], (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderValue=(-1.0, -1.0, -1.0),
        )  # fmt: skip
        known = region & (back[..., 0] >= 0)
        if known.sum() >= LEAST_IN_VIEW * region.sum():
            like.append(float(np.abs(back - soft[anchor])[known].mean()) <= SIMILAR)
    ends = max(1, len(like) // 5)
    stands = len(like) > 0 and np.mean(like) >= LEAST_SIMILAR and any(like[-ends:]) and any(like[:ends])
    return boxes if stands else None


def _camera_motions(shot: slice, anchor: int, flows: RegionFlows, height: int, width: int) -> list[NDArray[np.float64]]:
    """Return for each frame of the shot the motion (3, 3) from the anchor's picture to its own, in pixels."""
    frames = shot.stop - shot.start
    motions = [np.eye(3) for _ in range(frames)]
    for index in range(anchor + 1, frames):
        motions[index] = _camera_motion(flows.forward[shot.start + index - 1], height, width) @ motions[index - 1]
    for index in range(anchor - 1, -1, -1):
        motions[index] = _camera_motion(flows.backward[shot.start + index], height, width) @ motions[index + 1]
    return motions


def _camera_motion(flow: Flow, height: int, width: int) -> NDArray[np.float64]:
    """Return the shift, turn and zoom (3, 3) that most of a flow agrees with."""
    small_height, small_width, _ = flow.shape
    rows, columns = np.meshgrid(
        np.linspace(2, small_height - 3, GRID).astype(int), np.linspace(2, small_width - 3, GRID).astype(int)
    )
    scale = np.array([width / small_width, height / small_height])
    points = np.stack([columns.ravel(), rows.ravel()], axis=1)
    moved = points + flow[points[:, 1], points[:, 0]]
    matrix, _ = cv2.estimateAffinePartial2D(
        (points * scale).astype(np.float32), (moved * scale).astype(np.float32), ransacReprojThreshold=1.0
    )
    return np.eye(3) if matrix is None else np.vstack([matrix, [0, 0, 1]])


def _move_box(box: Boxes, motion: NDArray[np.float64]) -> Boxes:
    """Return the box (4,) around a box's corners after a motion (3, 3)."""
    left, top, right, bottom = box
    corners = np.array([[left, top, 1], [right, top, 1], [left, bottom, 1], [right, bottom, 1]]) @ motion.T
    low, high = corners[:, :2].min(axis=0), corners[:, :2].max(axis=0)
    return np.concatenate([low, high])
