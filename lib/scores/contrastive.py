"""What models that put pictures beside words, or beside other pictures, say of frames; all classes of transformers.

text alignment: cosine of a frame and the edit's prompt by CLIP. PickScore: the same by a CLIP that was tuned on what
people chose, times its scale (Y. Kirstain et al., NeurIPS 2023). CLIP-IQA: how much more a frame is "Good photo." than
"Bad photo.", 0 to 1 (J. Wang et al., AAAI 2023; by the CLIP that is named, where the paper takes a ResNet-50 without
its table of positions). DINO: cosine of neighbouring frames by DINOv2's class token.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from transformers import AutoImageProcessor, AutoModel, AutoProcessor, CLIPModel

from lib.metrics.per_frame import PerFrame
from lib.metrics.similarity import ClipEncoder, Embeddings, embed_frames, temporal_consistency
from lib.video.arrays import DecodedVideo

GOOD, BAD = "Good photo.", "Bad photo."
IQA_SCALE = 100.0  # of the cosines that CLIP-IQA compares
FRAMES_AT_ONCE = 16


class ClipPair(NamedTuple):
    """Both towers of CLIP, in eval mode, and what prepares their inputs."""

    images: ClipEncoder
    tokenizer: Any


def load_clip_pair(name: str, device: torch.device, download: bool) -> ClipPair:
    """Load CLIP from a local folder or hub id, in float32; safetensors only."""
    local, dtype = not download, torch.float32
    model = CLIPModel.from_pretrained(name, use_safetensors=True, local_files_only=local, dtype=dtype).eval().to(device)
    processor = AutoProcessor.from_pretrained(name, local_files_only=local)
    return ClipPair(ClipEncoder(model, processor.image_processor, device), processor.tokenizer)


@torch.no_grad()
def embed_texts(texts: Sequence[str], clip: ClipPair) -> Embeddings:
    """Embed texts with the text tower: (texts, features) of unit length; what is too long is cut."""
    model, _, device = clip.images
    length = model.config.text_config.max_position_embeddings
    tokens = clip.tokenizer(list(texts), padding=True, truncation=True, max_length=length, return_tensors="pt")
    inputs = {name: tokens[name].to(device) for name in ("input_ids", "attention_mask")}
    features = model.get_text_features(**inputs).pooler_output.float()
    embeddings: Embeddings = F.normalize(features, dim=-1).cpu().numpy()
    return embeddings


def text_alignment(video: DecodedVideo, prompt: str, clip: ClipPair) -> PerFrame:
    """Return the cosine of each frame (frames, height, width, 3) and the prompt."""
    return _as_list(_cosines(video, [prompt], clip)[:, 0])


def pick_score(video: DecodedVideo, prompt: str, clip: ClipPair) -> PerFrame:
    """Return PickScore of each frame: its cosine with the prompt, times the model's own scale."""
    scale = float(clip.images.model.logit_scale.detach().exp())
    return _as_list(scale * _cosines(video, [prompt], clip)[:, 0])


def clip_iqa(video: DecodedVideo, clip: ClipPair) -> PerFrame:
    """Return CLIP-IQA of each frame, 0 to 1."""
    good, bad = IQA_SCALE * _cosines(video, [GOOD, BAD], clip).T
    return _as_list(1 / (1 + np.exp(bad - good)))


def _cosines(video: DecodedVideo, texts: Sequence[str], clip: ClipPair) -> Embeddings:
    return embed_frames(video, clip.images) @ embed_texts(texts, clip).T


@torch.no_grad()
def dino_consistency(video: DecodedVideo, name: str, device: torch.device, download: bool) -> PerFrame:
    """Return the cosine of each frame and the one before it by the class token of a DINOv2 model.

    Args:
        video: (frames, height, width, 3) uint8 RGB.
        name: local folder or hub id; safetensors only.
        device: that computes.
        download: allow the hub.
    """
    local, dtype = not download, torch.float32
    model = AutoModel.from_pretrained(name, use_safetensors=True, local_files_only=local, dtype=dtype).eval().to(device)
    processor = AutoImageProcessor.from_pretrained(name, local_files_only=local)
    pieces = []
    for first in range(0, len(video), FRAMES_AT_ONCE):
        inputs = processor(images=list(video[first : first + FRAMES_AT_ONCE]), return_tensors="pt")
        features = model(inputs["pixel_values"].to(device, model.dtype)).last_hidden_state[:, 0].float()
        pieces.append(F.normalize(features, dim=-1).cpu())
    return temporal_consistency(torch.cat(pieces).numpy())


def _as_list(values: Embeddings) -> PerFrame:
    return [float(value) for value in values]
