"""CLIP embeddings of frames, and what their cosines say.

Embeddings are (frames, features) of unit length.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lib.metrics.per_frame import PerFrame
from lib.video.arrays import DecodedVideo

Embeddings = NDArray[np.float32]


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


def _as_list(scores: NDArray[np.float32]) -> PerFrame:
    return [float(score) for score in scores]
