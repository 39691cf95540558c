"""Cosines of CLIP's embeddings."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPConfig

from lib.metrics.similarity import (
    ClipEncoder,
    clip_score,
    embed_frames,
    input_similarity,
    load_clip,
    temporal_consistency,
)
from tests.lib.metrics.example_video import FRAMES, unit

TINY_CLIP = Path(__file__).parents[3] / "demo/models/clip-tiny"


def test_cosines_by_hand() -> None:
    """Angles of 0, 60 and 90 degrees."""
    output = unit([[1, 0], [0.5, 3**0.5 / 2], [0, 1]])
    assert clip_score(output, unit([[1, 0]])) == pytest.approx([1, 0.5, 0], abs=1e-6)
    assert input_similarity(output, output[::-1]) == pytest.approx([0, 1, 0], abs=1e-6)
    scores = temporal_consistency(output)
    assert scores[0] is None and scores[1:] == pytest.approx([0.5, 3**0.5 / 2])


def tiny_clip() -> ClipEncoder:
    """Return the demo's CLIP."""
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
