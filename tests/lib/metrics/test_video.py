"""All scores of a video together."""

import json

import numpy as np
import pytest

from lib.metrics.video import difference_video, evaluate_video
from tests.lib.metrics.example_video import FRAMES, unit


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
