"""Follow an edited region by a visual prompt: YOLOE looks in every frame for what the region's box shows in one.

As in lib.detector: call `configure_ultralytics` before anything else here.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lib.boxes import Boxes, FollowRegion, box_of, interpolate, overlap
from lib.detector import STRIDE, load_checkpoint, tame_ultralytics, track_objects
from lib.edit_difference import Mask, Picture
from lib.errors import InputError, Problem
from lib.video_io import DecodedVideo

LEAST_FIT = 0.1  # intersection over union with the region's box from which a track shows the region


def make_yoloe_follower(
    weights: str | Path, video: DecodedVideo, confidence: float, device: torch.device
) -> FollowRegion:
    """Load YOLOE and return a function that follows a region through a video.

    The function takes the frame that the region is in and the region itself, (height, width) with True
    pixels, and returns boxes (frames, 4), NaN where nothing was found. It keeps the video, but no state:
    calls do not influence one another.

    Args:
        weights: a YOLOE .pt file of ultralytics that takes prompts (not one of the -pf files).
        video: (frames, height, width, 3) uint8 RGB.
        confidence: see `lib.detector.track_objects`.
        device: where YOLOE runs.

    Raises:
        InputError: no such file, or not such a model.
    """
    detector = _load_yoloe(Path(weights))

    def follow(anchor: int, region: Mask) -> Boxes:
        region_box = box_of(region)
        prompt_yoloe(detector, video[anchor], region_box, device)
        tracks = track_objects(detector, video, confidence, device)
        detector.predictor = None  # it holds the last frame and, by its tracker, all objects
        return join_tracks([track.boxes for track in tracks], anchor, region_box, len(video))

    return follow


def prompt_yoloe(detector: Any, frame: Picture, box: Boxes, device: torch.device) -> None:
    """Make what a box (4,) of a frame (height, width, 3) shows the one class that the detector looks for.

    The embedding comes from the network's own prompt encoder; the text encoder, a download, stays out of it.
    """
    picture = np.ascontiguousarray(frame[..., ::-1])  # ultralytics takes BGR
    # The size at which track_objects will look for it: an embedding belongs to a scale.
    longest_side = max(*frame.shape[:2], int(detector.overrides.get("imgsz", STRIDE)))
    detector.predictor = None
    with tame_ultralytics():
        detector.predict(
            picture,
            refer_image=picture,
            visual_prompts={"bboxes": box[None], "cls": np.array([0])},
            imgsz=-(-longest_side // STRIDE) * STRIDE,
            device=device,
            verbose=False,
        )


def join_tracks(tracks: Sequence[Boxes], anchor: int, region_box: Boxes, num_frames: int) -> Boxes:
    """Return the track that fits a region best, with the tracks that go on where it was lost.

    Args:
        tracks: (frames, 4) each, of things alike.
        anchor: the region's frame; a gap there is interpolated.
        region_box: (4,).
        num_frames: of the video.

    Returns:
        (frames, 4); NaN where the object was not seen, and everywhere where no track fits.
    """
    rest = list(tracks)
    fits = [overlap(region_box, interpolate(boxes)[anchor]) for boxes in rest]
    if max(fits, default=0.0) < LEAST_FIT:
        return np.full((num_frames, 4), np.nan)
    joined = rest.pop(int(np.argmax(fits))).copy()
    while rest:
        steps = [_step_between(joined, boxes) for boxes in rest]
        nearest = min(range(len(rest)), key=lambda number: steps[number])
        frames_between, distance = steps[nearest]
        boxes = rest.pop(nearest)
        if frames_between > 0 and distance <= 1:  # 0: seen at once with the object, so another one
            joined = np.where(np.isnan(joined), boxes, joined)
    return joined


def _step_between(joined: Boxes, boxes: Boxes) -> tuple[int, float]:
    """Return the least number of frames from one track to another, and how far the object would move in them.

    The distance is that of the two boxes' centres, in diagonals of the first.
    """
    known, present = (np.flatnonzero(~np.isnan(track[:, 0])) for track in (joined, boxes))
    frames_between = np.abs(known[:, None] - present)  # (known frames, present frames)
    first, second = np.unravel_index(frames_between.argmin(), frames_between.shape)
    before, after = joined[known[first]].reshape(2, 2), boxes[present[second]].reshape(2, 2)
    distance = np.linalg.norm(after.mean(axis=0) - before.mean(axis=0)) / np.linalg.norm(before[1] - before[0])
    return int(frames_between[first, second]), float(distance)


def _load_yoloe(path: Path) -> Any:
    """Load a YOLOE .pt file that takes prompts."""
    expected = "a YOLOE model that takes visual prompts, such as yoloe-11l-seg.pt"
    detector = load_checkpoint(path, "YOLOE", expected)
    from ultralytics.nn.tasks import YOLOEModel

    if not isinstance(detector.model, YOLOEModel):
        raise InputError([Problem(str(path), "a model of another kind", expected)])
    head = detector.model.model[-1]
    if hasattr(head, "lrpc") or head.is_fused:
        raise InputError([Problem(str(path), "a YOLOE model whose classes are built in", expected)])
    return detector
