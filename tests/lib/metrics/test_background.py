"""The background is compared with the source's, and the edit left out."""

import cv2
import numpy as np
import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from lib.metrics.background import background_psnr, background_ssim, dilate_mask, ssim_map
from lib.metrics.per_frame import mean_score
from tests.lib.metrics.example_video import FRAMES, HEIGHT, WIDTH


def test_background_psnr_by_hand(edit_mask: np.ndarray) -> None:
    """An error of 5 in every background pixel is 34.15 dB, whatever happens inside the mask."""
    source = np.full((FRAMES, HEIGHT, WIDTH, 3), 100, np.uint8)
    output = source + 5
    output[edit_mask] = 255
    expected = 10 * np.log10(255**2 / 25)
    assert background_psnr(output, source, edit_mask) == pytest.approx([expected] * FRAMES)
    assert background_psnr(source, source, edit_mask) == [100.0] * FRAMES


def test_background_is_none_where_the_mask_fills_the_frame(source: np.ndarray, edit_mask: np.ndarray) -> None:
    """No background pixel gives no number, and the mean leaves that frame out."""
    edit_mask[1] = True
    output = np.clip(source.astype(int) + 5, 0, 255).astype(np.uint8)
    for measure in (background_psnr, background_ssim):
        scores = measure(output, source, edit_mask)
        assert scores[1] is None and scores[0] is not None
        assert mean_score(scores) is not None
        assert mean_score(measure(output, source, np.ones_like(edit_mask))) is None


def test_ssim_map_agrees_with_torchmetrics(source: np.ndarray) -> None:
    """The windowed SSIM equals torchmetrics' inside the border that padding touches."""
    noisy = np.clip(source[0] + np.random.default_rng(1).normal(0, 20, source[0].shape), 0, 255).astype(np.uint8)
    grey = [torch.from_numpy(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY)).double()[None, None] for p in (noisy, source[0])]
    _, theirs = structural_similarity_index_measure(*grey, data_range=255.0, return_full_image=True)
    inner = np.s_[8:-8, 8:-8]
    ours = ssim_map(noisy, source[0])
    assert ours.mean() < 0.98
    np.testing.assert_allclose(ours[inner], theirs[0, 0].numpy()[inner], atol=1e-3)


def test_background_ssim_ignores_the_edit(source: np.ndarray, edit_mask: np.ndarray) -> None:
    """Noise inside the mask leaves the score at 1 once the mask is grown by the window's reach."""
    output = source.copy()
    output[edit_mask] = 255 - output[edit_mask]
    grown = dilate_mask(edit_mask, 6)
    assert background_ssim(output, source, grown) == pytest.approx([1.0] * FRAMES, abs=1e-6)
    assert background_ssim(output, source, edit_mask)[0] < 0.99


def test_a_mask_grows_by_the_radius(edit_mask: np.ndarray) -> None:
    """24 x 32 pixels grown by 3 are 30 x 38; grown by 0 they stay."""
    assert dilate_mask(edit_mask, 3)[0].sum() == 30 * 38
    assert (dilate_mask(edit_mask, 0) == edit_mask).all()
