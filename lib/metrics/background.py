"""How well the background is kept: PSNR and SSIM outside the mask.

Videos are (frames, height, width, 3) uint8 RGB, masks (frames, height, width) with True = the region to edit.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from lib.metrics.per_frame import PerFrame
from lib.video.arrays import DecodedVideo, Mask

PSNR_CAP = 100.0  # dB; what identical pixels get, so that a mean over frames exists
SSIM_WINDOW, SSIM_SIGMA = 11, 1.5  # pixels


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


def dilate_mask(edit_mask: Mask, radius: int) -> Mask:
    """Grow a mask (frames, height, width) by `radius` pixels to each side, in squares."""
    kernel = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    return np.stack([cv2.dilate(plane.astype(np.uint8), kernel) > 0 for plane in edit_mask])


def _blur(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    blurred: NDArray[np.float32] = cv2.GaussianBlur(picture, (SSIM_WINDOW, SSIM_WINDOW), SSIM_SIGMA)
    return blurred
