"""The mask of an edit as its settings ask for it: the user's own, or one by detector, trackers and optical flow."""

from collections.abc import Mapping, Sequence
from typing import Any

from lib.execution.devices import prepare_torch
from lib.masks.detector import find_objects
from lib.masks.edit_mask import MaskSettings, describe_user_mask, make_edit_mask
from lib.masks.facts import Facts
from lib.masks.followers import make_followers
from lib.video.arrays import DecodedVideo, Mask, Picture


def read_settings(section: Mapping[str, Any], frame_stride: int) -> MaskSettings:
    """Take what shapes a mask from the config's mask section, keys with or without `mask.` before them."""
    given = {key.removeprefix("mask."): value for key, value in section.items()}
    fields = {key: given[key] for key in MaskSettings.__annotations__ if key in given}
    return MaskSettings(**{**fields, "methods": tuple(given["methods"]), "frame_stride": frame_stride})


def segment(
    source_video: DecodedVideo,
    edited_frames: Mapping[int, Picture],
    user_mask: Mask | None,
    section: Mapping[str, Any],
    classes: Sequence[str] | None,
    device: str,
    num_threads: int,
    frame_stride: int,
) -> tuple[Mask, Facts]:
    """Make or take an edit's mask.

    Args:
        source_video: (frames, height, width, 3) uint8 RGB.
        edited_frames: (height, width, 3) by position, frame 0 among them.
        user_mask: (frames, height, width); it is used as it is. None: the mask is made.
        section: of the config, keys as in `mask.detector`.
        classes: of the detector, to consider; None: all.
        device: `auto`, `cpu` or `cuda`.
        num_threads: CPU threads granted by the scheduler.
        frame_stride: frames that share a latent frame.

    Returns:
        (frames, height, width), and the facts of `lib.masks.facts.describe_mask`.
    """
    settings = read_settings(section, frame_stride)
    references = {index: picture for index, picture in edited_frames.items() if index}
    if user_mask is not None:
        return user_mask, describe_user_mask(user_mask, source_video, edited_frames[0], references, settings)
    weights = {
        method: section[f"mask.{key}"] if method in settings.methods else None
        for method, key in (("yolo", "detector"), ("yoloe", "yoloe"), ("sam2", "sam2"))
    }
    where = prepare_torch(device, "float32", num_threads)[0]
    detections = find_objects(source_video, weights["yolo"], section["mask.confidence"], classes, where)
    followers = make_followers(source_video, weights["yoloe"], weights["sam2"], section["mask.confidence"], where)
    return make_edit_mask(source_video, edited_frames[0], references, detections, settings, followers)
