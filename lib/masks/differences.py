"""Which pixels an edit changed: the edited picture against the source frame it was made from."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lib.video.arrays import Mask, Picture

REFERENCE_SIDE = 480  # pixels; the shorter side at which lengths in this module and in the config are stated
SPECK_SHARE = 0.001  # of the frame; smaller spots are noise
LARGEST_SHIFT = 0.03  # of the shorter side; beyond this two pictures are not the same view
LARGEST_GAIN = 0.15  # |gain - 1| that still counts as an editor's colour drift, not as the edit
LARGEST_BIAS = 0.06  # the same for an offset, in a 0..1 range
INLIER = 4 / 255  # colour distance at which a pixel's weight in the fit of gain and bias has halved


def edit_difference(source_frame: Picture, edited_frame: Picture, threshold: float) -> Mask:
    """Find the pixels that an edit changed.

    What image tools change by the way is taken out first: a shift of a few pixels, a swapped YCbCr
    matrix, a small gain and bias. Where gain and bias explain all of the change, they are the edit.

    Args:
        source_frame, edited_frame: (height, width, 3) RGB of one size.
        threshold: least colour difference (CIE Lab delta E) of a changed pixel; raised where the two
            pictures differ by more than that everywhere, as after an image model's autoencoder.

    Returns:
        (height, width), True = changed; all False where the pictures show the same.
    """
    source = source_frame.astype(np.float32) / 255
    edited = _undo_matrix_swap(source, _undo_shift(source, edited_frame.astype(np.float32) / 255))
    for candidate in (_undo_gain(source, edited), edited):
        changed = _changed(source, candidate, threshold)
        if changed.any():
            break
    return changed


def colour_difference(source: NDArray[Any], edited: NDArray[Any]) -> NDArray[np.float32]:
    """Return CIE76 delta E of two pictures (height, width, 3) RGB in 0..1, each lightly blurred: (height, width)."""
    height, width, _ = source.shape
    sigma = max(1.0, 1.5 * min(height, width) / REFERENCE_SIDE)
    first, second = (
        cv2.cvtColor(cv2.GaussianBlur(picture, (0, 0), sigma), cv2.COLOR_RGB2LAB) for picture in (source, edited)
    )
    difference: NDArray[np.float32] = np.linalg.norm(first - second, axis=-1)
    return difference


def split_regions(difference: Mask, reach: int) -> list[Mask]:
    """Split changed pixels into regions that lie more than about 2 * `reach` pixels apart, largest first."""
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    count, labels = cv2.connectedComponents(cv2.dilate(difference.astype(np.uint8), kernel))
    regions = [difference & (labels == label) for label in range(1, count)]
    return sorted(regions, key=lambda region: -int(region.sum()))


def change_outside(source_frame: Picture, edited_frame: Picture, mask: Mask, threshold: float) -> dict[str, float]:
    """Measure how far an edited frame differs from the source where nothing should change.

    Nothing is taken out beforehand: the model sees the edited frame as it is.

    Returns:
        mean_delta_e, and changed_share: the share of the outside pixels at or over `threshold`; both 0
        where the mask leaves nothing outside.
    """
    source, edited = (picture.astype(np.float32) / 255 for picture in (source_frame, edited_frame))
    outside = colour_difference(source, edited)[~mask]
    if outside.size == 0:
        return {"mean_delta_e": 0.0, "changed_share": 0.0}
    return {"mean_delta_e": float(outside.mean()), "changed_share": float((outside >= threshold).mean())}


def scaled(length: float, height: int, width: int) -> int:
    """Turn a length in pixels at 480p into pixels of a frame of this size."""
    return round(length * min(height, width) / REFERENCE_SIDE)


def _changed(source: NDArray[Any], edited: NDArray[Any], threshold: float) -> Mask:
    height, width, _ = source.shape
    difference = colour_difference(source, edited)
    changed = (difference >= _cut(difference, threshold)).astype(np.uint8)
    for operation, length in ((cv2.MORPH_OPEN, 3), (cv2.MORPH_CLOSE, 9)):
        side = max(3, scaled(length, height, width)) | 1
        changed = cv2.morphologyEx(changed, operation, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    _, labels, facts, _ = cv2.connectedComponentsWithStats(changed)
    large = facts[:, cv2.CC_STAT_AREA] >= SPECK_SHARE * height * width
    large[0] = False  # the background
    return np.asarray(large[labels], np.bool_)


def _cut(difference: NDArray[np.float32], threshold: float) -> float:
    """Return the delta E that parts an edit from the noise around it, at least `threshold`.

    Otsu's threshold parts the two, but with one strong and one weak edit it parts these instead; six
    deviations about the median are the end of the noise, but not where the edit is nearly half of the
    frame. Each errs upwards, so the lower one is taken. Where the median pixel is at or over
    `threshold`, most of the frame is the edit and there is no noise to measure.
    """
    median = float(np.median(difference))
    if median >= threshold:
        return threshold
    steps = np.clip(difference * 2, 0, 255).astype(np.uint8)  # delta E in steps of 0.5
    otsu = cv2.threshold(steps, 0, 255, cv2.THRESH_OTSU)[0] / 2
    deviation = 1.4826 * float(np.median(np.abs(difference - median)))  # of a normal distribution
    return float(max(threshold, min(otsu, median + 6 * deviation)))


def _undo_shift(source: NDArray[Any], edited: NDArray[Any]) -> NDArray[Any]:
    height, width, _ = source.shape
    first, second = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (source, edited))
    (right, down), _ = cv2.phaseCorrelate(first, second, cv2.createHanningWindow((width, height), cv2.CV_32F))
    if not 0.1 < np.hypot(right, down) < LARGEST_SHIFT * min(height, width):
        return edited
    shift = np.array([[1, 0, right], [0, 1, down]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(edited, shift, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return moved if _mismatch(source, moved) < 0.9 * _mismatch(source, edited) else edited


def _undo_matrix_swap(source: NDArray[Any], edited: NDArray[Any]) -> NDArray[Any]:
    """Undo a YCbCr conversion with BT.601 in place of BT.709, or the reverse, where that explains the change.

    Frames taken from a video by another program differ in this way more often than in any other.
    """
    bt601, bt709 = _ycbcr_matrix(0.299, 0.114), _ycbcr_matrix(0.2126, 0.0722)
    best = edited
    for made_with, right in ((bt601, bt709), (bt709, bt601)):
        repaired = np.clip(edited @ (np.linalg.inv(right) @ made_with).T, 0, 1).astype(np.float32)
        if _mismatch(source, repaired) < min(0.5 * _mismatch(source, edited), _mismatch(source, best)):
            best = repaired
    return best


def _undo_gain(source: NDArray[Any], edited: NDArray[Any]) -> NDArray[Any]:
    """Fit a gain and a bias per channel to the pixels that differ least; undo them if they are small.

    Iteratively reweighted least squares with Cauchy weights 1 / (1 + (distance / INLIER)^2).
    """
    step = max(1, source.shape[0] * source.shape[1] // 20_000)
    wanted, given = source.reshape(-1, 3)[::step], edited.reshape(-1, 3)[::step]
    gain, bias = np.ones(3, np.float32), np.zeros(3, np.float32)
    for _ in range(10):
        weights = 1 / (1 + (np.linalg.norm(given * gain + bias - wanted, axis=1) / INLIER) ** 2)[:, None]
        mean_given, mean_wanted = ((weights * pixels).sum(0) / weights.sum() for pixels in (given, wanted))
        covariance = (weights * (given - mean_given) * (wanted - mean_wanted)).sum(0)
        gain = covariance / np.maximum((weights * (given - mean_given) ** 2).sum(0), 1e-6)
        bias = mean_wanted - gain * mean_given
    if (np.abs(gain - 1) > LARGEST_GAIN).any() or (np.abs(bias) > LARGEST_BIAS).any():
        return edited
    corrected: NDArray[np.float32] = np.clip(edited * gain + bias, 0, 1).astype(np.float32)
    return corrected


def _mismatch(source: NDArray[Any], edited: NDArray[Any]) -> float:
    """Return the mean distance in a 0..1 range; an edit counts no more than 0.05 in each of its pixels."""
    return float(np.minimum(np.abs(source - edited), 0.05).mean())


def _ycbcr_matrix(red: float, blue: float) -> NDArray[np.float64]:
    """Return RGB -> YCbCr for the given luma weights (ITU-R BT.601 and BT.709, section on coding)."""
    green = 1 - red - blue
    return np.array(
        [
            [red, green, blue],
            [-red / (2 * (1 - blue)), -green / (2 * (1 - blue)), 0.5],
            [0.5, -green / (2 * (1 - red)), -blue / (2 * (1 - red))],
        ]
    )
