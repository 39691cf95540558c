"""How near an edited video comes to the truth: pure functions, over all frames after the first, which is given.

Videos are (frames, height, width, 3) uint8 RGB, regions (frames, height, width) bool.
"""

from math import hypot, nan

import cv2
import numpy as np
from numpy.typing import NDArray

from demo.evaluation.scenes import LATE_FRAMES, LEAST_VISIBLE, Truth
from lib.metrics.background import PSNR_CAP
from lib.metrics.boundary import background_jump, seam
from lib.metrics.per_frame import mean_score

DIFFERENCE_THRESHOLD = 45.0  # RGB distance (0 to 441) from the backdrop; blurred texture stays below it
LEAST_FOUND = LEAST_VISIBLE // 4  # pixels; anything smaller is a stain
LEAST_PART = 0.25  # of the largest part's area; smaller parts are specks, larger ones a figure behind another
FINDING_TOLERANCE = 1.0  # pixels; where the truth's own figure is not found as exactly, others cannot be judged


def measure_video(output: NDArray[np.uint8], truth: Truth, edit_mask: NDArray[np.bool_]) -> dict[str, float]:
    """Measure one output against the truth.

    Args:
        output: the edited video.
        truth: of `scenes.with_read_source`.
        edit_mask: the workflow's own mask, a loose box round the edit.

    Returns:
        PSNRs in dB of the background by truth, of what the mask told to keep, of the edited region, and of that
        region in the last quarter of the clip; the mean error of the edited figure's centroid in pixels, and the
        share of frames that lost it; in levels, the mean step along the mask's edge that the truth does not have, and
        the change of the background from frame 0 to frame 1; the share of the edited region that the mask covers.
        NaN = undefined.
    """
    errors, lost = centroid_errors(output, truth)
    later = slice(1, None)
    return {
        "background_psnr": region_psnr(output[later], truth.source[later], ~truth.region[later]),
        "kept_psnr": region_psnr(output[later], truth.source[later], ~edit_mask[later]),
        "edit_psnr": region_psnr(output[later], truth.edited[later], truth.region[later]),
        "late_edit_psnr": region_psnr(output[-LATE_FRAMES:], truth.edited[-LATE_FRAMES:], truth.region[-LATE_FRAMES:]),
        "centroid_error": float(np.mean(errors)) if errors else nan,
        "lost_share": float(np.mean(lost)) if lost else nan,
        "seam": mean_score(seam(output[later], truth.edited[later], edit_mask[later])) or 0.0,
        "first_jump": background_jump(output[:2], truth.edited[:2], truth.region[:2])[1] or 0.0,
        "mask_coverage": float(edit_mask[later][truth.region[later]].mean()),
    }


def region_psnr(output: NDArray[np.uint8], true: NDArray[np.uint8], region: NDArray[np.bool_]) -> float:
    """Return the PSNR in dB over a region's pixels of all frames together, at most PSNR_CAP; NaN for none.

    One mean over all pixels, so that a frame in which the region is a sliver counts as a sliver.
    """
    frames, height, width, channels = output.shape
    assert true.shape == output.shape and region.shape == (frames, height, width)
    if not region.any():
        return nan
    mean_error = float(np.square(output[region].astype(np.float64) - true[region]).mean())
    return min(PSNR_CAP, 10 * float(np.log10(255**2 / mean_error))) if mean_error else PSNR_CAP


def centroid_errors(output: NDArray[np.uint8], truth: Truth) -> tuple[list[float], list[bool]]:
    """Measure how far from its true place each frame after the first shows the edited figure.

    Left out are frames in which under LEAST_VISIBLE pixels of it are truly visible, and those whose truth does not
    tell it from what is behind it, such as one red figure before another.

    Returns:
        The distances of the centroids in pixels, and whether the figure was lost: nothing like it is in the frame,
        which counts as an error of half the frame's diagonal.
    """
    frames, height, width, _ = output.shape
    errors, lost = [], []
    for index in range(1, frames):
        place = centroid(truth.figure[index])
        own_place = centroid(find_figure(truth.edited[index], index, truth))
        if truth.figure[index].sum() < LEAST_VISIBLE or distance(own_place, place) > FINDING_TOLERANCE:
            continue
        found = find_figure(output[index], index, truth)
        lost.append(not found.any())
        errors.append(hypot(width, height) / 2 if lost[-1] else distance(centroid(found), place))
    return errors, lost


def find_figure(picture: NDArray[np.uint8], index: int, truth: Truth) -> NDArray[np.bool_]:
    """Find the edited figure anywhere in a picture, by its colours alone.

    Args:
        picture: (height, width, 3) uint8 RGB, a frame of an output.
        index: of that frame.
        truth: tells the backdrop there, and the figure's colours.

    Returns:
        (height, width) bool, without specks: what is not backdrop, and nearer to a colour of the figure than to the
        backdrop and to the colours that the edit took away, so that a figure left unedited is not found.
    """
    height, width, _ = picture.shape
    pixels = picture.astype(np.float32)
    to_backdrop = np.linalg.norm(pixels - truth.backdrop[index], axis=-1)
    to_figure = np.min([np.linalg.norm(pixels - colour, axis=-1) for colour in truth.palette], axis=0)
    to_others = np.min([to_backdrop, *(np.linalg.norm(pixels - old, axis=-1) for old in truth.old_palette)], axis=0)
    alike = (to_backdrop > DIFFERENCE_THRESHOLD) & (to_figure < to_others)
    # Where two colours of a figure meet, mixed pixels may look like the backdrop and must not cut it into parts.
    whole = cv2.morphologyEx(alike.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, parts, statistics, _ = cv2.connectedComponentsWithStats(whole, connectivity=8)
    areas = statistics[:, cv2.CC_STAT_AREA]
    areas[0] = 0  # part 0 is everything else
    is_figure = areas >= max(LEAST_FOUND, LEAST_PART * areas.max())
    found: NDArray[np.bool_] = is_figure[parts]
    return found


def centroid(region: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the mean (x, y) in pixels of a region (height, width); NaN if it is empty."""
    rows, columns = np.nonzero(region)
    return (float(columns.mean()), float(rows.mean())) if len(rows) else (nan, nan)


def distance(place: tuple[float, float], other: tuple[float, float]) -> float:
    """Return the distance of two places in pixels; infinite if one of them is NaN."""
    length = hypot(place[0] - other[0], place[1] - other[1])
    return length if length == length else float("inf")
