"""The prompted trackers of a run: those whose weights are configured, loaded when first asked."""

import tempfile
from collections.abc import Callable

from lib.boxes import Boxes, FollowRegion
from lib.checkpoints import resolve_path
from lib.detector import configure_ultralytics
from lib.devices import prepare_torch
from lib.edit_difference import Mask
from lib.sam2_tracker import make_sam2_follower
from lib.video_io import DecodedVideo
from lib.yoloe_tracker import make_yoloe_follower


def make_followers(
    video: DecodedVideo, yoloe: str | None, sam2: str | None, confidence: float, device: str, num_threads: int
) -> dict[str, FollowRegion]:
    """Offer each prompted tracker that has weights; most edits are held by a detected object and ask for none.

    Args:
        video: (frames, height, width, 3) uint8 RGB.
        yoloe, sam2: weights files; None: that tracker is not offered.
        confidence: lowest detection confidence of YOLOE.
        device: `auto`, `cpu` or `cuda`.
        num_threads: CPU threads granted by the scheduler.

    Returns:
        By name; the first call of each loads its weights and may raise InputError.
    """
    followers: dict[str, FollowRegion] = {}
    if yoloe is not None:
        weights = resolve_path(yoloe)
        followers["yoloe"] = _when_asked(
            lambda: make_yoloe_follower(weights, video, confidence, prepare_torch(device, "float32", num_threads)[0])
        )
    if sam2 is not None:
        path = resolve_path(sam2)
        followers["sam2"] = _when_asked(
            lambda: make_sam2_follower(path, video, prepare_torch(device, "float32", num_threads)[0])
        )
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
