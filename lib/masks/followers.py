"""The prompted trackers of a run: those whose weights are configured, loaded when first asked."""

import tempfile
from collections.abc import Callable

import torch

from lib.inputs.checkpoints import resolve_path
from lib.masks.boxes import Boxes, FollowRegion
from lib.masks.sam2 import make_sam2_follower
from lib.masks.ultralytics_setup import configure_ultralytics
from lib.masks.yoloe import make_yoloe_follower
from lib.video.arrays import DecodedVideo, Mask


def make_followers(
    video: DecodedVideo, yoloe: str | None, sam2: str | None, confidence: float, device: torch.device
) -> dict[str, FollowRegion]:
    """Offer each prompted tracker that has weights; most edits are held by a detected object and ask for none.

    Args:
        video: (frames, height, width, 3) uint8 RGB.
        yoloe, sam2: weights files; None: that tracker is not offered.
        confidence: lowest detection confidence of YOLOE.
        device: where they run.

    Returns:
        By name; the first call of each loads its weights and may raise InputError.
    """
    followers: dict[str, FollowRegion] = {}
    if yoloe is not None:
        weights = resolve_path(yoloe)
        followers["yoloe"] = _when_asked(lambda: make_yoloe_follower(weights, video, confidence, device))
    if sam2 is not None:
        path = resolve_path(sam2)
        followers["sam2"] = _when_asked(lambda: make_sam2_follower(path, video, device))
    return followers


def _when_asked(make: Callable[[], FollowRegion]) -> FollowRegion:
    made: list[FollowRegion] = []

    def follow(anchor: int, region: Mask) -> Boxes:
        with tempfile.TemporaryDirectory() as run_folder:
            configure_ultralytics(run_folder)
            if not made:
                made.append(make())
            return made[0](anchor, region)

    return follow
