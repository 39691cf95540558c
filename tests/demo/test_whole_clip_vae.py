"""Training runs the same autoencoder as the library."""

from dataclasses import replace

import pytest
import torch

from demo.training.vae import make_vae
from demo.training.whole_clip_vae import decode_whole, encode_whole
from demo.world.random_scenes import number_scene
from demo.world.rendering import pack_scenes, render_packed
from demo.world.scenes import Scene


@pytest.mark.parametrize("num_frames", [1, 9, 17])
def test_whole_clip_passes_agree_with_the_library(num_frames: int) -> None:
    """Encoding and decoding all frames at once gives what the library's chunks give."""
    torch.manual_seed(0)
    vae = make_vae().eval()
    scene: Scene = replace(number_scene("train", 0), width=64, height=48)
    video = render_packed(pack_scenes([scene]), num_frames).float() / 127.5 - 1
    with torch.no_grad():
        encoded = vae.encode(video).latent_dist.parameters
        assert torch.allclose(encode_whole(vae, video), encoded, atol=1e-4)
        decoded = decode_whole(vae, encoded[:, :16])
        assert torch.allclose(decoded.clamp(-1, 1), vae.decode(encoded[:, :16]).sample, atol=1e-4)
