"""Latent frames that stand anywhere in a clip: the rotary embedding is told where."""

import numpy as np
import pytest
import torch

from lib.diffusion.conditioning import make_keep_mask, put_first
from lib.models.base import Conditioning, VideoModel
from lib.video.arrays import to_model_video
from tests.lib.video.example_videos import smooth_video

SIGMA = torch.tensor([0.7])


@pytest.fixture
def conditioning(tiny_wan: VideoModel) -> Conditioning:
    """Nine frames, of which the first is kept."""
    video = to_model_video(smooth_video(9, 48, 64))
    keep_mask = make_keep_mask("first_frame", np.zeros((9, 48, 64), bool), frame_stride=4)
    condition_video = put_first(video[:, :, :1], video)
    return tiny_wan.encode_conditioning("a cat", condition_video, keep_mask, video[:, :, :1])


def _predict(model: VideoModel, latents: torch.Tensor, conditioning: Conditioning) -> torch.Tensor:
    with torch.no_grad():
        return model.predict_velocity(latents, SIGMA, conditioning)


def test_all_frames_in_their_places_are_the_clip(tiny_wan: VideoModel, conditioning: Conditioning) -> None:
    """Selecting every latent frame changes nothing, and what was selected is forgotten by the next forward pass."""
    latents = torch.randn(conditioning["condition_latents"].shape, generator=torch.Generator().manual_seed(0))
    expected = _predict(tiny_wan, latents, conditioning)
    assert torch.equal(_predict(tiny_wan, latents, tiny_wan.select_frames(conditioning, [0, 1, 2])), expected)
    swapped = tiny_wan.select_frames(conditioning, [2, 1, 0])
    assert torch.allclose(_predict(tiny_wan, latents.flip(2), swapped), expected.flip(2), atol=1e-4)
    assert torch.equal(_predict(tiny_wan, latents, conditioning), expected)


def test_time_is_told_between_frames_only(tiny_wan: VideoModel, conditioning: Conditioning) -> None:
    """A frame alone is the same at every time, two frames are not: why a placed reference brings the first frame."""
    latents = torch.randn(conditioning["condition_latents"].shape, generator=torch.Generator().manual_seed(0))
    last = tiny_wan.select_frames(conditioning, [2])
    unplaced = {name: tensor for name, tensor in last.items() if name != "frame_positions"}
    alone = latents[:, :, 2:]
    assert torch.allclose(_predict(tiny_wan, alone, last), _predict(tiny_wan, alone, unplaced), atol=1e-4)
    both = tiny_wan.select_frames(conditioning, [0, 2])
    unplaced = {name: tensor for name, tensor in both.items() if name != "frame_positions"}
    pair = latents[:, :, [0, 2]]
    assert (_predict(tiny_wan, pair, both) - _predict(tiny_wan, pair, unplaced)).abs().max() > 1e-2
