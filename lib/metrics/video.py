"""Every metric of one video against its source, and a video for people of where the two differ."""

from typing import Any

import cv2
import numpy as np

from lib.metrics.background import background_psnr, background_ssim, dilate_mask
from lib.metrics.boundary import background_jump, seam
from lib.metrics.motion import measure_motion, motion_error, warp_error
from lib.metrics.per_frame import PerFrame, mean_score
from lib.metrics.similarity import Embeddings, clip_score, input_similarity, temporal_consistency
from lib.video.arrays import DecodedVideo, Mask
from lib.video.flow import Flow

OF_NEIGHBOURS = {
    *("temporal_consistency", "background_jump", "warp_error", "source_warp_error", "motion_error", "motion_cosine"),
}
"""Metrics of a frame and the one before it."""

DIFFERENCE_GAIN = 4  # amplification of the difference video


def evaluate_video(
    output: DecodedVideo,
    source: DecodedVideo,
    edit_mask: Mask,
    *,
    output_embeddings: Embeddings,
    source_embeddings: Embeddings,
    edited_embedding: Embeddings,
    background_dilation: int,
    source_motion: tuple[Flow, Mask] | None = None,
) -> dict[str, Any]:
    """Measure one video against its source with every metric.

    Read the edited output beside two other rows from this function: the source sent through the VAE (the
    ceiling of any method that does not paste the background back) and the source itself as output
    (perfect in background and input similarity, yet no edit).

    Args:
        output, source: of one shape.
        edit_mask: the region to edit.
        output_embeddings, source_embeddings: of `embed_frames`.
        edited_embedding: (1, features), of the edited first frame.
        background_dilation: pixels by which the mask is grown before the background is measured.
        source_motion: of `measure_motion(source)`, to compute it once for several outputs.

    Returns:
        {"mean": {metric: value}, "per_frame": {metric: [value, ...]}}, JSON-able; None = undefined. A mean is
        over the frames that have a value.
    """
    flows, visible = source_motion if source_motion is not None else measure_motion(source)
    background = dilate_mask(edit_mask, background_dilation)
    end_point_error, cosine = motion_error(output, edit_mask, flows, visible)
    per_frame: dict[str, PerFrame] = {
        "clip_score": clip_score(output_embeddings, edited_embedding),
        "input_similarity": input_similarity(output_embeddings, source_embeddings),
        "temporal_consistency": temporal_consistency(output_embeddings),
        "background_psnr": background_psnr(output, source, background),
        "background_ssim": background_ssim(output, source, background),
        "background_jump": background_jump(output, source, background),
        "seam": seam(output, source, edit_mask),
        "warp_error": warp_error(output, flows, visible),
        "source_warp_error": warp_error(source, flows, visible),
        "motion_error": end_point_error,
        "motion_cosine": cosine,
    }
    return {"mean": {name: mean_score(scores) for name, scores in per_frame.items()}, "per_frame": per_frame}


def difference_video(output: DecodedVideo, source: DecodedVideo) -> DecodedVideo:
    """Show where two videos differ, for people: absolute difference times DIFFERENCE_GAIN, clipped at 255."""
    assert output.shape == source.shape
    pairs = zip(output, source, strict=True)
    return np.stack([cv2.convertScaleAbs(cv2.absdiff(made, true), alpha=DIFFERENCE_GAIN) for made, true in pairs])
