"""How the output moves, against the source: warp error, and error of the motion in the region to edit.

Values of two neighbouring frames belong to the later one, so the first is None.
"""

import numpy as np

from lib.metrics.per_frame import PerFrame
from lib.video.arrays import DecodedVideo, Mask
from lib.video.flow import Flow, flow_between, flow_to_previous, sample, visible_in_previous
from lib.video.flow_file import rounded

FEWEST_PIXELS = 50  # fewer valid pixels than this say nothing about motion
LEAST_MOTION = 0.1  # pixels per frame; below, the source stands still and its motion is no yardstick
LEAST_STEP = 0.5  # pixels; a shorter flow vector has no direction


def measure_motion(source: DecodedVideo) -> tuple[Flow, Mask]:
    """Return the source's flow to the previous frame (frames - 1, height, width, 2) in pixels, and where it holds."""
    flows = rounded(flow_to_previous(source))
    return flows, visible_in_previous(source, flows)


def warp_error(video: DecodedVideo, flows: Flow, visible: Mask) -> PerFrame:
    """Return how much a frame differs from the one before it, moved along with the source's motion.

    Lai et al. (2018), "Learning blind video temporal consistency", equation 9: the mean over visible
    pixels of the squared distance of RGB values in 0..1. Low is steady; compare it with the source's own.

    Args:
        video: (frames, height, width, 3).
        flows, visible: of `measure_motion(source)`.
    """
    scores: PerFrame = [None]
    for index, (flow, seen) in enumerate(zip(flows, visible, strict=True), start=1):
        moved = sample(video[index - 1].astype(np.float32), flow)
        distances = np.square(moved - video[index]).sum(axis=-1)[seen] / 255**2
        scores.append(float(distances.mean()) if distances.size >= FEWEST_PIXELS else None)
    return scores


def motion_error(output: DecodedVideo, edit_mask: Mask, flows: Flow, visible: Mask) -> tuple[PerFrame, PerFrame]:
    """Compare the output's motion in the region to edit with the source's.

    Args:
        output: (frames, height, width, 3).
        edit_mask: (frames, height, width), not dilated.
        flows, visible: of `measure_motion(source)`.

    Returns:
        The mean distance of the two flows, as a share of the source's mean flow in the region over all
        frames (0 = same motion, about 1 = standing still), and the mean cosine of the angle between them
        where the source moves by LEAST_STEP. None in frames with too few such pixels, and everywhere
        if the source's region stands still.
    """
    frames, height, width, _ = output.shape
    assert edit_mask.shape == (frames, height, width) and len(flows) == frames - 1
    regions = edit_mask[1:] & visible
    lengths = np.linalg.norm(flows, axis=-1)
    usual = float(lengths[regions].mean()) if regions.any() else 0.0
    errors: PerFrame = [None]
    cosines: PerFrame = [None]
    for index, region in enumerate(regions):
        moves = region & (lengths[index] >= LEAST_STEP)
        made = rounded(flow_between(output[index + 1], output[index]))
        distances = np.linalg.norm(made - flows[index], axis=-1)
        angles = (made * flows[index]).sum(-1) / np.maximum(np.linalg.norm(made, axis=-1) * lengths[index], 1e-6)
        can_tell = usual >= LEAST_MOTION and region.sum() >= FEWEST_PIXELS
        errors.append(float(distances[region].mean()) / usual if can_tell else None)
        cosines.append(float(angles[moves].mean()) if moves.sum() >= FEWEST_PIXELS else None)
    return errors, cosines
