"""CLIP embeddings of frames, and what their cosines say.

Embeddings are (frames, features) of unit length.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoProcessor, CLIPModel

from lib.metrics.per_frame import PerFrame
from lib.video.arrays import DecodedVideo

Embeddings = NDArray[np.float32]

FRAMES_AT_ONCE = 16  # in a forward pass of CLIP


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


class ClipEncoder(NamedTuple):
    """The image tower of CLIP.

    Attributes:
        model: a transformers CLIPModel in eval mode.
        processor: its image processor.
        device: where the model is.
    """

    model: Any
    processor: Any
    device: torch.device


def load_clip(name: str, device: torch.device, download: bool) -> ClipEncoder:
    """Load CLIP from a local folder or hub id; safetensors only."""
    local = not download
    model = CLIPModel.from_pretrained(name, use_safetensors=True, local_files_only=local).eval().to(device)
    return ClipEncoder(model, AutoProcessor.from_pretrained(name, local_files_only=local).image_processor, device)


@torch.no_grad()
def embed_frames(video: DecodedVideo, clip: ClipEncoder, at_once: int = FRAMES_AT_ONCE) -> Embeddings:
    """Embed frames with the image tower of CLIP.

    Args:
        video: (frames, height, width, 3).
        clip: of `load_clip`.
        at_once: frames per forward pass.

    Returns:
        (frames, features) of unit length.
    """
    pieces = []
    for start in range(0, len(video), at_once):
        inputs = clip.processor(images=list(video[start : start + at_once]), return_tensors="pt")
        pixels = inputs["pixel_values"].to(device=clip.device, dtype=clip.model.dtype)
        features = clip.model.get_image_features(pixel_values=pixels).pooler_output.float()
        pieces.append(torch.nn.functional.normalize(features, dim=-1).cpu())
    embeddings: Embeddings = torch.cat(pieces).numpy()
    return embeddings


def _as_list(scores: NDArray[np.float32]) -> PerFrame:
    return [float(score) for score in scores]
