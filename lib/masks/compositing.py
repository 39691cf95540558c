"""Outside its mask an edited picture should be the source: put the source back there, or match the colours to it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from lib.masks.differences import REFERENCE_SIDE
from lib.video.arrays import DecodedVideo, Mask, Picture

FEATHER = 4.0  # pixels at 480p, deviation of the blend inside the mask of an edited frame; less than its least margin
FEWEST_PIXELS = 100  # outside the mask; fewer say nothing of the colours
MOST_PIXELS = 20_000  # enough for a fit of twelve numbers
NUM_ROUNDS = 10  # of reweighting
INLIER = 4.0  # levels; the distance at which a pixel's weight in the fit has halved


def composite(edited: Picture, source: Picture, plane: Mask, feather: float) -> Picture:
    """Take the source's pixels outside a mask, and blend into the edited ones just inside it.

    Args:
        edited, source: (height, width, 3) uint8 RGB.
        plane: (height, width), True = edit.
        feather: deviation of the blend in pixels at 480p; 0: a hard edge.
    """
    height, width = plane.shape
    sigma = feather * min(height, width) / REFERENCE_SIDE
    share = plane.astype(np.float32)
    if sigma > 0:
        # 0 along the mask's edge, where the blurred mask is a half, so that no pixel outside is touched.
        share = np.clip(2 * cv2.GaussianBlur(share, (0, 0), sigma) - 1, 0, 1) * plane
    blended = share[..., None] * edited + (1 - share[..., None]) * source
    return np.asarray(blended.round(), np.uint8)


def composite_video(edited: DecodedVideo, source: DecodedVideo, edit_mask: Mask, feather: float) -> DecodedVideo:
    """Composite each frame; see `composite`. Videos (frames, height, width, 3), mask (frames, height, width)."""
    frames = zip(edited, source, edit_mask, strict=True)
    return np.stack([composite(picture, original, plane, feather) for picture, original, plane in frames])


def match_colours(edited: Picture, source: Picture, plane: Mask) -> Picture:
    """Give an edited picture the source's colours: the affine change of RGB that fits best outside the mask.

    Iteratively reweighted least squares with Cauchy weights 1 / (1 + (distance / INLIER)^2), so that what the edit
    truly changed outside, such as a shadow, does not count. Unchanged where the mask leaves too little to compare.

    Args:
        edited, source: (height, width, 3) uint8 RGB.
        plane: (height, width), True = edit.
    """
    given, wanted = (picture[~plane].astype(np.float64) for picture in (edited, source))
    if len(given) < FEWEST_PIXELS:
        return edited
    step = max(1, len(given) // MOST_PIXELS)
    given, wanted = given[::step], wanted[::step]
    pixels = np.hstack([given, np.ones((len(given), 1))])
    change = np.vstack([np.eye(3), np.zeros(3)])  # (4, 3): what RGB and 1 become
    for _ in range(NUM_ROUNDS):
        distances = np.linalg.norm(pixels @ change - wanted, axis=1)
        weights = np.sqrt(1 / (1 + (distances / INLIER) ** 2))[:, None]
        # A little of the identity keeps a picture of few colours from being turned into any others.
        change = np.eye(4, 3) + _fit(pixels * weights, (wanted - given) * weights)
    matched = edited.reshape(-1, 3) @ change[:3] + change[3]
    return np.asarray(matched.round().clip(0, 255), np.uint8).reshape(edited.shape)


def _fit(pixels: NDArray[np.float64], differences: NDArray[np.float64]) -> NDArray[np.float64]:
    damping = 1e-3 * len(pixels) * np.diag([1.0, 1.0, 1.0, 1e-3]) * 255
    return np.asarray(np.linalg.solve(pixels.T @ pixels + damping, pixels.T @ differences))


def correct_edited(edited: Picture, source: Picture, plane: Mask, how: str) -> Picture:
    """Bring an edited frame, whose colours may have drifted outside the mask, back to the source there.

    Args:
        edited, source: (height, width, 3) uint8 RGB.
        plane: (height, width), True = edit.
        how: none, colour (see `match_colours`) or composite.
    """
    if how == "colour":
        return match_colours(edited, source, plane)
    return composite(edited, source, plane, FEATHER) if how == "composite" else edited
