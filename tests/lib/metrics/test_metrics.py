"""Metrics measure what they say, leave the edit out of the background, and are None where undefined."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure
from transformers import CLIPConfig

from lib.metrics.background import background_psnr, background_ssim, dilate_mask, ssim_map
from lib.metrics.motion import measure_motion, motion_error, warp_error
from lib.metrics.per_frame import mean_score
from lib.metrics.similarity import (
    ClipEncoder,
    clip_score,
    embed_frames,
    input_similarity,
    load_clip,
    temporal_consistency,
)
from lib.metrics.video import difference_video, evaluate_video

FRAMES, HEIGHT, WIDTH = 4, 48, 64
TINY_CLIP = Path(__file__).parents[3] / "demo/models/clip-tiny"


@pytest.fixture
def source() -> np.ndarray:
    """A textured ground that moves 2 pixels right per frame: (4, 48, 64, 3) uint8."""
    noise = np.random.default_rng(0).normal(0, 1, (HEIGHT, WIDTH + 16, 3))
    ground = np.clip(128 + 200 * cv2.GaussianBlur(noise, (0, 0), 2), 0, 255).astype(np.uint8)
    return np.stack([ground[:, 8 - 2 * index : 8 - 2 * index + WIDTH] for index in range(FRAMES)])


@pytest.fixture
def edit_mask() -> np.ndarray:
    """The middle of each frame, (4, 48, 64)."""
    mask = np.zeros((FRAMES, HEIGHT, WIDTH), np.bool_)
    mask[:, 12:36, 16:48] = True
    return mask


@pytest.fixture
def motion(source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The source's flow and where it holds."""
    return measure_motion(source)


def unit(rows: list[list[float]]) -> np.ndarray:
    """Return rows scaled to unit length."""
    values = np.array(rows, np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


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


def test_cosines_by_hand() -> None:
    """Angles of 0, 60 and 90 degrees."""
    output = unit([[1, 0], [0.5, 3**0.5 / 2], [0, 1]])
    assert clip_score(output, unit([[1, 0]])) == pytest.approx([1, 0.5, 0], abs=1e-6)
    assert input_similarity(output, output[::-1]) == pytest.approx([0, 1, 0], abs=1e-6)
    scores = temporal_consistency(output)
    assert scores[0] is None and scores[1:] == pytest.approx([0.5, 3**0.5 / 2])


def test_warp_error_is_low_for_motion_along_with_the_source(source: np.ndarray, motion: tuple) -> None:
    """The source and its negative move alike; flicker and a frozen picture do not."""
    own = mean_score(warp_error(source, *motion))
    flicker = source.copy()
    flicker[1::2] = np.clip(flicker[1::2].astype(int) + 40, 0, 255)
    frozen = np.repeat(source[:1], FRAMES, axis=0)
    assert mean_score(warp_error(255 - source, *motion)) == pytest.approx(own, rel=0.1)
    assert mean_score(warp_error(flicker, *motion)) > 5 * own
    assert mean_score(warp_error(frozen, *motion)) > 5 * own


def test_warp_error_by_hand() -> None:
    """Without motion, a step of 51 in three channels is 3 * 0.2 ** 2."""
    video = np.zeros((2, 10, 10, 3), np.uint8)
    video[1] = 51
    flows, visible = np.zeros((1, 10, 10, 2), np.float32), np.ones((1, 10, 10), np.bool_)
    assert warp_error(video, flows, visible) == [None, pytest.approx(0.12)]
    visible[:, 4:] = False
    assert warp_error(video, flows, visible) == [None, None], "40 valid pixels are too few, not perfect"


def test_motion_error_of_copy_frozen_and_reversed(source: np.ndarray, edit_mask: np.ndarray, motion: tuple) -> None:
    """A copy has error 0 and cosine 1, a still picture 1 and 0, reversed motion about 2 and -1."""
    expected = {0: (source, 1), 1: (np.repeat(source[:1], FRAMES, axis=0), 0), 2: (source[::-1], -1)}
    for size, (output, direction) in expected.items():
        errors, cosines = motion_error(output, edit_mask, *motion)
        assert errors[0] is None and cosines[0] is None
        assert errors[1:] == pytest.approx([size] * (FRAMES - 1), abs=0.15)
        assert cosines[1:] == pytest.approx([direction] * (FRAMES - 1), abs=0.1)


def test_motion_error_is_none_where_it_says_nothing(source: np.ndarray, edit_mask: np.ndarray, motion: tuple) -> None:
    """Too few pixels, or a source that stands still, give None and not a perfect 0."""
    few = np.zeros_like(edit_mask)
    few[:, :5, :5] = True
    assert motion_error(source, few, *motion) == ([None] * FRAMES, [None] * FRAMES)
    hidden = np.zeros_like(motion[1])
    assert motion_error(source, edit_mask, motion[0], hidden) == ([None] * FRAMES, [None] * FRAMES)
    still = np.repeat(source[:1], FRAMES, axis=0)
    assert motion_error(source, edit_mask, *measure_motion(still))[0] == [None] * FRAMES


def test_pixels_that_enter_the_frame_are_not_visible_before(motion: tuple) -> None:
    """The ground moves right, so that the left border is new in each frame."""
    flows, visible = motion
    assert flows[:, 10:-10, 10:-10, 0].mean() == pytest.approx(-2, abs=0.1)
    assert not visible[:, :, 0].any() and visible[:, 10:-10, 10:-10].mean() > 0.95


def test_ground_that_a_moving_object_uncovers_is_not_visible_before() -> None:
    """Most of the strip behind an object that moves 12 pixels over still ground is new; its inside is not."""
    noise = np.random.default_rng(0).normal(0, 1, (2, 240, 320, 3))
    ground, figure = (np.clip(128 + 200 * cv2.GaussianBlur(n, (0, 0), 2), 0, 255).astype(np.uint8) for n in noise)
    video = np.stack([ground, ground])
    for picture, left in zip(video, (60, 72), strict=True):
        picture[60:180, left : left + 120] = figure[60:180, :120]
    visible = measure_motion(video)[1][0]
    assert visible[70:170, 62:72].mean() < 0.5
    assert visible[70:170, 90:180].mean() > 0.95


def test_evaluation_of_a_copy_is_perfect_and_json(source: np.ndarray, edit_mask: np.ndarray) -> None:
    """The source as output is perfect in all but the CLIP score, with one value per frame."""
    embeddings = unit([[1, index] for index in range(FRAMES)])
    scores = evaluate_video(
        source,
        source,
        edit_mask,
        output_embeddings=embeddings,
        source_embeddings=embeddings,
        edited_embedding=unit([[0, 1]]),
        background_dilation=2,
    )
    mean = json.loads(json.dumps(scores, allow_nan=False))["mean"]
    assert mean["background_psnr"] == 100 and mean["background_ssim"] == pytest.approx(1)
    assert mean["input_similarity"] == pytest.approx(1) and mean["clip_score"] < 0.8
    assert mean["warp_error"] == mean["source_warp_error"]
    assert mean["motion_error"] == 0 and mean["motion_cosine"] == pytest.approx(1, abs=1e-3)
    assert all(len(values) == FRAMES for values in scores["per_frame"].values())
    assert scores["mean"].keys() == scores["per_frame"].keys()


def test_difference_video_is_amplified_and_clipped() -> None:
    """A difference of 10 shows as 40 in either direction, one of 100 as 255."""
    source = np.full((1, 2, 3, 3), 100, np.uint8)
    output = source.copy()
    output[0, 0, 0], output[0, 0, 1], output[0, 0, 2] = 110, 90, 200
    assert difference_video(output, source)[0, :, :, 0].tolist() == [[40, 40, 255], [0, 0, 0]]


def tiny_clip() -> ClipEncoder:
    """Return the demo's CLIP."""
    if not (TINY_CLIP / "config.json").exists():
        pytest.skip("demo/models/clip-tiny has not been made")
    return load_clip(str(TINY_CLIP), torch.device("cpu"), download=False)


def test_embeddings_have_unit_length_whatever_the_batch(source: np.ndarray) -> None:
    """One row per frame, the same for batches of 1 and 3, and different for different frames."""
    clip = tiny_clip()
    embeddings = embed_frames(source, clip, 3)
    assert isinstance(clip.model.config, CLIPConfig) and embeddings.shape == (FRAMES, clip.model.config.projection_dim)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(embed_frames(source, clip, 1), embeddings, atol=1e-5)
    brighter = embed_frames(255 - source, clip, 4)
    assert (input_similarity(brighter, embeddings)[0] or 0) < 0.9999
