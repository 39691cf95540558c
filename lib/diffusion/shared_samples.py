"""What a clip gives to a LoRA that is shared by many: windows of it with masks, and never its edits."""

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lib.diffusion.encoding import SOURCE, Encoded, encode_clip
from lib.masks.random_masks import draw_random_mask
from lib.models.base import VideoModel
from lib.video.arrays import DecodedVideo, Mask


@dataclass(frozen=True)
class Window:
    """A part of a clip as a sample.

    Attributes:
        start: its first frame, counted in what the run may use of the source: 0 is video.start.
        has_own_mask: shown with the mask of the clip's edits; else with a random one.
        seed: of that.
    """

    start: int
    has_own_mask: bool
    seed: int


def choose_windows(
    clip: str, seed: int, num_samples: int, num_masked: int, num_usable: int, length: int
) -> list[Window]:
    """Choose a clip's samples: the first with its own mask, the others anywhere in it with random masks.

    Args:
        clip: its id; with the seed it decides all.
        seed: of the run.
        num_samples: of this clip.
        num_masked: frames that the clip's masks cover, from its first; 0: it has none.
        num_usable: frames of the source at the run's stride, from video.start.
        length: frames of a window.
    """
    windows = []
    for number in range(num_samples):
        digest = hashlib.sha256(f"{seed}/{clip}/{number}".encode()).digest()
        generator = np.random.default_rng(int.from_bytes(digest[:8], "little"))
        is_own = number == 0 and num_masked >= length
        start = int(generator.integers((num_masked if is_own else num_usable) - length + 1))
        windows.append(Window(start, is_own, int(generator.integers(2**31))))
    return windows


def shrink(video: DecodedVideo, mask: Mask | None, scale: float, multiple: int) -> tuple[DecodedVideo, Mask | None]:
    """Make a window smaller, to sides that the model takes; what the mask covers in part is covered.

    Args:
        video: (frames, height, width, 3) uint8 RGB.
        mask: (frames, height, width), True = edit; None: there is none.
        scale: of width and height, up to 1: as it is.
        multiple: of the sides, in pixels, see `VideoModel.size_multiple`.
    """
    height, width = (max(multiple, round(side * scale / multiple) * multiple) for side in video.shape[1:3])
    if (height, width) == video.shape[1:3]:
        return video, mask

    def resized(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA), np.uint8)

    smaller = np.stack([resized(frame) for frame in video])
    if mask is None:
        return smaller, None
    return smaller, np.stack([resized(plane.astype(np.uint8) * 255) > 0 for plane in mask])


def encode_window(
    model: VideoModel, video: DecodedVideo, mask: Mask | None, seed: int, prompt: str, mask_kind: str
) -> Encoded:
    """Encode one window, shown its own first frame and the clip's caption.

    Args:
        model: with its VAE and encoders loaded.
        video: (frames, height, width, 3) uint8 RGB.
        mask: (frames, height, width), True = edit; None: a random one.
        seed: of the random mask.
        prompt: trigger word and source caption.
        mask_kind: see `lib.diffusion.conditioning.make_keep_mask`.

    Returns:
        One group.
    """
    frames, height, width, _ = video.shape
    shown: NDArray[np.bool_] = (
        draw_random_mask(np.random.default_rng(seed), (frames, height, width), model.frame_stride)
        if mask is None
        else mask
    )
    return {SOURCE: encode_clip(model, video, shown, prompt, mask_kind)}
