"""Training sees the same world as the demo's clips, and the same autoencoder as the library's."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from demo.make_clips import demo_clips
from demo.scenes import Scene, render
from demo.training.vae import make_vae
from demo.training.whole_clip_vae import decode_whole, encode_whole
from demo.world import number_scene, pack_numbered, pack_scenes, render_packed

DEMO_SCENES = [clip.scene for clip in demo_clips()] + [edit.scene for clip in demo_clips() for edit in clip.edits]


@pytest.mark.parametrize("is_portrait", [False, True])
def test_packed_scenes_render_as_single_ones(is_portrait: bool) -> None:
    """Rendering packed scenes together gives the pixels of demo.scenes.render, up to rounding of single values."""
    scenes = [number_scene("train", number, is_portrait) for number in range(12)]
    scenes += [scene for scene in DEMO_SCENES if (scene.height > scene.width) == is_portrait]
    videos = render_packed(pack_scenes(scenes), num_frames=17)
    for scene, video in zip(scenes, videos, strict=True):
        expected = render(scene)[0][:17].astype(int)
        difference = np.abs(video.permute(1, 2, 3, 0).numpy().astype(int) - expected)
        assert difference.max() <= 1 and (difference > 0).mean() < 1e-3


def test_numbered_scenes_are_reproducible_and_splits_differ() -> None:
    """A number gives the same scene in any process; held-out scenes are other scenes."""
    scenes, packed = pack_numbered("train", range(3), num_workers=2)
    again, packed_again = pack_numbered("train", range(3))
    assert scenes == again and all(torch.equal(packed[key], packed_again[key]) for key in packed)
    assert all(number_scene("held_out", number) not in scenes for number in range(3))


def test_world_holds_what_the_demo_edits_show() -> None:
    """Marks, stripes, colours that change, still figures and both numbers of movers all turn up in training."""
    figures = [figure for number in range(100) for figure in number_scene("train", number).figures]
    assert any(figure.mark for figure in figures) and any(figure.late_colour for figure in figures)
    assert any(figure.stripe_colour for figure in figures) and any(len(f.motion.path) == 1 for f in figures)


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
