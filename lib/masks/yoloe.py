"""Follow an edited region by a visual prompt: YOLOE looks in every frame for what the region's box shows in one.

As in lib.masks.detector: call `configure_ultralytics` before anything else here.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from lib.core.errors import InputError, Problem
from lib.masks.boxes import Boxes, FollowRegion, box_of, overlap
from lib.masks.detector import detect_objects, input_size, load_checkpoint
from lib.masks.object_links import Sightings, describe_sightings, link_object
from lib.masks.ultralytics_setup import tame_ultralytics
from lib.video.arrays import DecodedVideo, Mask, Picture

LEAST_FIT = 0.1  # intersection over union with the region's box from which a detection shows the region


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
        confidence: see `lib.masks.detector.detect_objects`.
        device: where YOLOE runs.

    Raises:
        InputError: no such file, or not such a model.
    """
    detector = _load_yoloe(Path(weights))

    def follow(anchor: int, region: Mask) -> Boxes:
        region_box = box_of(region)
        prompt_yoloe(detector, video[anchor], region_box, device)
        detections = detect_objects(detector, video, confidence, device)
        detector.predictor = None  # it holds the last frame
        return link_at(region_box, anchor, describe_sightings(video, detections), len(video))

    return follow


def prompt_yoloe(detector: Any, frame: Picture, box: Boxes, device: torch.device) -> None:
    """Make what a box (4,) of a frame (height, width, 3) shows the one class that the detector looks for.

    The embedding comes from the network's own prompt encoder; the text encoder, a download, stays out of it.
    """
    picture = np.ascontiguousarray(frame[..., ::-1])  # ultralytics takes BGR
    # The size at which detect_objects will look for it: an embedding belongs to a scale.
    side = input_size(detector, frame[np.newaxis])
    detector.predictor = None
    with tame_ultralytics():
        detector.predict(
            picture,
            refer_image=picture,
            visual_prompts={"bboxes": box[None], "cls": np.array([0])},
            imgsz=side,
            device=device,
            verbose=False,
        )


def link_at(region_box: Boxes, anchor: int, sightings: Sightings, num_frames: int) -> Boxes:
    """Return the boxes (frames, 4) of the object that fits a region's box (4,) best in frame `anchor`.

    NaN where it was not seen, and everywhere where nothing fits.
    """
    boxes = np.full((num_frames, 4), np.nan)
    fits = np.where(sightings.frames == anchor, [overlap(region_box, box) for box in sightings.boxes], 0.0)
    if fits.max(initial=0.0) >= LEAST_FIT:
        members = link_object(int(fits.argmax()), sightings, num_frames)
        boxes[sightings.frames[members]] = sightings.boxes[members]
    return boxes


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
