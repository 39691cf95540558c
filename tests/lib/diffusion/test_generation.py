"""From encoded inputs to a video: seeds, the lock and the composite outside the mask, strength, and long clips."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lib.diffusion.conditioning import kept_latents, make_keep_mask
from lib.diffusion.encoding import Encoded, encode_edit
from lib.diffusion.generation import EditedClip, Sampling, generate_video
from lib.models.base import VideoModel
from lib.models.load import load_model
from lib.training.lora import attach_lora, load_lora, save_lora
from lib.video.arrays import to_decoded_video, to_model_video
from tests.conftest import TINY_WAN
from tests.lib.video.example_videos import smooth_video

FRAMES, HEIGHT, WIDTH = 9, 48, 64
WHOLE = [(0, FRAMES)]
SAMPLING = Sampling(num_steps=2, guidance=1.0, shift=5.0, seed=3, lock_latents=False, composite=False, feather=0.0)


@pytest.fixture
def clip() -> EditedClip:
    """A clip whose edited first frame is inverted in a box that is to be edited in every frame."""
    source = smooth_video(FRAMES, HEIGHT, WIDTH)
    mask = np.zeros((FRAMES, HEIGHT, WIDTH), bool)
    mask[:, 16:32, 16:40] = True
    first_frame = np.where(mask[0, ..., None], 255 - source[0], source[0])
    return EditedClip(source, first_frame, mask, "edit")


def _encode(model: VideoModel, clip: EditedClip, window: int = FRAMES) -> Encoded:
    how = ("a cat", "", clip.mask_kind)
    return encode_edit(model, clip.source_video, clip.first_frame, {}, clip.edit_mask, *how, window=window)


def _distance(video: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(video.astype(float) - other).mean())


def test_same_seed_same_video_other_seed_other_video(tiny_wan: VideoModel, clip: EditedClip) -> None:
    """Generation repeats exactly and depends on its seed."""
    encoded = _encode(tiny_wan, clip)
    videos = [generate_video(tiny_wan, encoded, clip, WHOLE, replace(SAMPLING, seed=seed)) for seed in (3, 3, 4)]
    assert videos[0].shape == (FRAMES, HEIGHT, WIDTH, 3)
    assert np.array_equal(videos[0], videos[1])
    assert not np.array_equal(videos[0], videos[2])


def test_guidance_takes_a_second_pass_and_makes_another_video(tiny_wan: VideoModel, clip: EditedClip) -> None:
    """A scale of 1 switches guidance off, and its pass with it."""
    encoded, passes = _encode(tiny_wan, clip), []
    tiny_wan.transformer.register_forward_hook(lambda *_: passes.append(1))
    guided = generate_video(tiny_wan, encoded, clip, WHOLE, replace(SAMPLING, guidance=5.0))
    assert len(passes) == 2 * SAMPLING.num_steps
    unguided = generate_video(tiny_wan, encoded, clip, WHOLE, SAMPLING)
    assert len(passes) == 3 * SAMPLING.num_steps
    assert _distance(unguided, guided) > 0.1


def test_locked_latents_come_out_as_the_sources(tiny_wan: VideoModel, clip: EditedClip) -> None:
    """Where the lock holds, the result is the VAE's round trip of the edited frame 0 and the source, to the bit."""
    encoded = _encode(tiny_wan, clip)
    free, locked = (
        generate_video(tiny_wan, encoded, clip, WHOLE, replace(SAMPLING, lock_latents=lock)) for lock in (False, True)
    )
    known = np.concatenate([clip.first_frame[np.newaxis], clip.source_video[1:]])
    ceiling = to_decoded_video(tiny_wan.decode_latents(tiny_wan.encode_video(to_model_video(known))))
    far = slice(48, None)  # columns a cell away from the mask's; the decoder mixes neighbouring cells
    assert _distance(locked[:, :, far], ceiling[:, :, far]) < 0.5 * _distance(free[:, :, far], ceiling[:, :, far])
    assert _distance(locked[0], ceiling[0]) < _distance(free[0], ceiling[0]), "frame 0 is given, and locked whole"
    assert not np.array_equal(locked[1:, 16:32, 16:40], ceiling[1:, 16:32, 16:40]), "the region is still generated"


def test_the_lock_holds_latents_that_hold_kept_pixels_only() -> None:
    """By hand: a mask that moves within one latent frame frees the union of its cells, one pixel frees its cell."""
    mask = np.zeros((9, 32, 32), bool)
    mask[1, 0:8, 0:8] = mask[4, 0:8, 8:16] = True  # latent frame 1: cells (0, 0) and (0, 1)
    mask[8, 31, 31] = True  # latent frame 2: one pixel, cell (3, 3)
    kept = kept_latents(make_keep_mask("edit", mask, 4), 8, 4)
    expected = torch.ones(1, 1, 3, 4, 4, dtype=torch.bool)
    expected[0, 0, 1, 0, 0:2] = expected[0, 0, 2, 3, 3] = False
    assert torch.equal(kept, expected)


def test_a_composite_is_the_source_outside_the_mask(tiny_wan: VideoModel, clip: EditedClip) -> None:
    """Bit for bit outside, the generated video inside."""
    encoded = _encode(tiny_wan, clip)
    plain, composited = (
        generate_video(tiny_wan, encoded, clip, WHOLE, replace(SAMPLING, composite=value)) for value in (False, True)
    )
    assert np.array_equal(composited[~clip.edit_mask], clip.source_video[~clip.edit_mask])
    assert np.array_equal(composited[clip.edit_mask], plain[clip.edit_mask])
    assert not np.array_equal(plain[~clip.edit_mask], clip.source_video[~clip.edit_mask])


def test_strength_runs_from_the_model_alone_to_the_lora(tiny_wan: VideoModel, clip: EditedClip, tmp_path: Path) -> None:
    """Scale 0 is the base model to the bit, 1 the LoRA as trained, and a half lies between."""
    encoded = _encode(tiny_wan, clip)
    base = generate_video(tiny_wan, encoded, clip, WHOLE, SAMPLING)
    layers = tiny_wan.lora_target_modules(["self_attention", "feed_forward"])
    torch.manual_seed(0)
    for parameter in attach_lora(tiny_wan.transformer, layers, 4, 4.0, 0):
        torch.nn.init.normal_(parameter.data, std=0.08)
    trained = generate_video(tiny_wan, encoded, clip, WHOLE, SAMPLING)
    save_lora(tiny_wan.transformer, tmp_path / "lora.safetensors")
    videos = {}
    for scale in (0.0, 0.5, 1.0):
        model = load_model(TINY_WAN, {"vae", "transformer"}, device=torch.device("cpu"), dtype=torch.float32)
        load_lora(model.transformer, tmp_path / "lora.safetensors", scale=scale)
        videos[scale] = generate_video(model, encoded, clip, WHOLE, SAMPLING)
    assert np.array_equal(videos[0.0], base) and np.array_equal(videos[1.0], trained)
    assert 0 < _distance(videos[0.5], base) < _distance(videos[1.0], base)


def test_a_window_goes_on_from_the_end_of_the_one_before(tiny_wan: VideoModel, clip: EditedClip) -> None:
    """The first window is as alone; the second is conditioned on its last frames, so another seed there changes it."""
    encoded, windows = _encode(tiny_wan, clip, window=5), [(0, 5), (4, 9)]
    made = generate_video(tiny_wan, encoded, clip, windows, SAMPLING)
    assert made.shape == (FRAMES, HEIGHT, WIDTH, 3)
    first = EditedClip(clip.source_video[:5], clip.first_frame, clip.edit_mask[:5], "edit")
    alone = generate_video(tiny_wan, encoded, first, [(0, 5)], SAMPLING)
    assert np.array_equal(made[:5], alone)
    second = EditedClip(clip.source_video[4:], alone[4], clip.edit_mask[4:], "edit")
    again = _encode(tiny_wan, second, window=5)
    again["generation"] = {**encoded["generation"], **{k: again["generation"][k] for k in ("condition_latents",)}}
    went_on = generate_video(tiny_wan, again, second, [(0, 5)], replace(SAMPLING, seed=SAMPLING.seed + 1))
    assert np.array_equal(made[5:], went_on[1:])
