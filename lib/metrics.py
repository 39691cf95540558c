"""How good an edited video is: one pure function per metric.

A metric returns one number per frame, or None where it is undefined; those of two neighbouring frames belong to
the later one, so the first is None. Videos are (frames, height, width, 3) uint8 RGB, masks (frames, height, width)
with True = the region to edit, embeddings (frames, features) of unit length.
"""

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from lib.boundary_metrics import Mask, PerFrame, background_jump, seam
from lib.optical_flow import Flow, flow_between, flow_to_previous, sample, visible_in_previous
from lib.video_io import DecodedVideo

Embeddings = NDArray[np.float32]

PSNR_CAP = 100.0  # dB; what identical pixels get, so that a mean over frames exists
SSIM_WINDOW, SSIM_SIGMA = 11, 1.5  # pixels
FEWEST_PIXELS = 50  # fewer valid pixels than this say nothing about motion
LEAST_MOTION = 0.1  # pixels per frame; below, the source stands still and its motion is no yardstick
LEAST_STEP = 0.5  # pixels; a shorter flow vector has no direction
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


def background_psnr(output: DecodedVideo, source: DecodedVideo, edit_mask_dilated: Mask) -> PerFrame:
    """Return the PSNR in dB over the pixels outside the mask alone, at most PSNR_CAP.

    10 log10(255^2 / MSE) with the MSE over those pixels and the three channels. None in a frame that the
    mask fills.
    """
    frames, height, width, _ = output.shape
    assert source.shape == output.shape and edit_mask_dilated.shape == (frames, height, width)
    scores: PerFrame = []
    for made, true, masked in zip(output, source, edit_mask_dilated, strict=True):
        errors = np.square(cv2.absdiff(made, true)[~masked], dtype=np.float32)
        if errors.size == 0:
            scores.append(None)
            continue
        mean_error = float(errors.mean(dtype=np.float64))
        scores.append(min(PSNR_CAP, 10 * float(np.log10(255**2 / mean_error))) if mean_error else PSNR_CAP)
    return scores


def background_ssim(output: DecodedVideo, source: DecodedVideo, edit_mask_dilated: Mask) -> PerFrame:
    """Return the mean over the pixels outside the mask of the SSIM map; None in a frame that the mask fills.

    Windows reach 5 pixels beyond their centre: grow the mask by more than that to keep the edit out.
    """
    frames, height, width, _ = output.shape
    assert source.shape == output.shape and edit_mask_dilated.shape == (frames, height, width)
    scores: PerFrame = []
    for made, true, masked in zip(output, source, edit_mask_dilated, strict=True):
        outside = ssim_map(made, true)[~masked]
        scores.append(float(outside.mean(dtype=np.float64)) if outside.size else None)
    return scores


def ssim_map(picture: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the SSIM of luma around each pixel: (height, width) in [-1, 1].

    Wang et al. (2004), equation 13, Gaussian window of 11 pixels and sigma 1.5, K1 = 0.01, K2 = 0.03.
    """
    first, second = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY).astype(np.float32) for each in (picture, other))
    stability = ((0.01 * 255) ** 2, (0.03 * 255) ** 2)
    mean_first, mean_second = _blur(first), _blur(second)
    variances = _blur(first * first) - mean_first**2 + _blur(second * second) - mean_second**2
    covariance = _blur(first * second) - mean_first * mean_second
    structure = (2 * covariance + stability[1]) / (variances + stability[1])
    luminance = (2 * mean_first * mean_second + stability[0]) / (mean_first**2 + mean_second**2 + stability[0])
    similarity: NDArray[np.float32] = luminance * structure
    return similarity


def clip_score(output_embeddings: Embeddings, edited_embedding: Embeddings) -> PerFrame:
    """Return the cosine between each output frame and the edited first frame (1, features)."""
    _, features = output_embeddings.shape
    assert edited_embedding.shape == (1, features)
    return _as_list((output_embeddings * edited_embedding).sum(axis=1))


def input_similarity(output_embeddings: Embeddings, source_embeddings: Embeddings) -> PerFrame:
    """Return the cosine between each output frame and the source frame of the same time."""
    assert output_embeddings.shape == source_embeddings.shape
    return _as_list((output_embeddings * source_embeddings).sum(axis=1))


def temporal_consistency(output_embeddings: Embeddings) -> PerFrame:
    """Return the cosine between each output frame and the one before it."""
    return [None, *_as_list((output_embeddings[1:] * output_embeddings[:-1]).sum(axis=1))]


@torch.no_grad()
def embed_frames(video: DecodedVideo, model: Any, processor: Any, device: str, batch: int) -> Embeddings:
    """Embed frames with the image tower of CLIP.

    Args:
        video: (frames, height, width, 3).
        model: a transformers CLIPModel on `device`, in eval mode.
        processor: its image processor, or a CLIPProcessor.
        device: torch device.
        batch: frames per forward pass.

    Returns:
        (frames, features) of unit length.
    """
    pieces = []
    for start in range(0, len(video), batch):
        inputs = processor(images=list(video[start : start + batch]), return_tensors="pt")
        pixels = inputs["pixel_values"].to(device=device, dtype=model.dtype)
        features = model.get_image_features(pixel_values=pixels).pooler_output.float()
        pieces.append(torch.nn.functional.normalize(features, dim=-1).cpu())
    embeddings: Embeddings = torch.cat(pieces).numpy()
    return embeddings


def measure_motion(source: DecodedVideo) -> tuple[Flow, Mask]:
    """Return the source's flow to the previous frame (frames - 1, height, width, 2) in pixels, and where it holds."""
    flows = flow_to_previous(source)
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
        made = flow_between(output[index + 1], output[index])
        distances = np.linalg.norm(made - flows[index], axis=-1)
        angles = (made * flows[index]).sum(-1) / np.maximum(np.linalg.norm(made, axis=-1) * lengths[index], 1e-6)
        can_tell = usual >= LEAST_MOTION and region.sum() >= FEWEST_PIXELS
        errors.append(float(distances[region].mean()) / usual if can_tell else None)
        cosines.append(float(angles[moves].mean()) if moves.sum() >= FEWEST_PIXELS else None)
    return errors, cosines


def mean_score(scores: PerFrame) -> float | None:
    """Return the mean of the defined values; None without any."""
    defined = [score for score in scores if score is not None]
    return float(np.mean(defined)) if defined else None


def dilate_mask(edit_mask: Mask, radius: int) -> Mask:
    """Grow a mask (frames, height, width) by `radius` pixels to each side, in squares."""
    kernel = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    return np.stack([cv2.dilate(plane.astype(np.uint8), kernel) > 0 for plane in edit_mask])


def difference_video(output: DecodedVideo, source: DecodedVideo) -> DecodedVideo:
    """Show where two videos differ, for people: absolute difference times DIFFERENCE_GAIN, clipped at 255."""
    assert output.shape == source.shape
    pairs = zip(output, source, strict=True)
    return np.stack([cv2.convertScaleAbs(cv2.absdiff(made, true), alpha=DIFFERENCE_GAIN) for made, true in pairs])


def _blur(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    blurred: NDArray[np.float32] = cv2.GaussianBlur(picture, (SSIM_WINDOW, SSIM_WINDOW), SSIM_SIGMA)
    return blurred


def _as_list(scores: NDArray[np.float32]) -> PerFrame:
    return [float(score) for score in scores]
