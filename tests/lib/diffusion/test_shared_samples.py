"""What a clip gives to a shared LoRA: windows with masks, read back one at a time."""

from pathlib import Path

import numpy as np
import torch

from lib.diffusion.encoding import save_encoded
from lib.diffusion.shared_samples import choose_windows, encode_window, shrink
from lib.diffusion.stored_samples import StoredSamples
from lib.models.base import VideoModel


def test_the_first_window_has_the_clips_own_mask_and_the_others_lie_anywhere() -> None:
    """By clip and seed; a clip without a mask of its own, or with one that is too short, has random ones alone."""
    windows = choose_windows("car", 0, 50, num_masked=5, num_usable=40, length=5)
    assert windows == choose_windows("car", 0, 50, num_masked=5, num_usable=40, length=5)
    assert [window.has_own_mask for window in windows] == [True] + [False] * 49
    assert windows[0].start == 0 and len({window.start for window in windows}) > 15
    assert max(window.start for window in windows) <= 35
    assert windows[1:] != choose_windows("dog", 0, 50, num_masked=5, num_usable=40, length=5)[1:]
    assert not choose_windows("car", 0, 1, num_masked=0, num_usable=5, length=5)[0].has_own_mask


def test_windows_are_encoded_with_their_masks_and_read_back(tiny_wan: VideoModel, tmp_path: Path) -> None:
    """The model is told to regenerate what the mask covers; a clip's file gives its samples in their order."""
    video = np.random.default_rng(0).integers(0, 255, (5, 48, 64, 3), np.uint8)
    mask = np.zeros((5, 48, 64), np.bool_)
    mask[:, :16, :16] = True
    own = encode_window(tiny_wan, video, mask, 0, "a ball", "edit")["source"]
    random = encode_window(tiny_wan, video, None, 7, "a ball", "edit")["source"]
    conditioning = {name: value for name, value in own.items() if name != "latents"}
    assert tiny_wan.regenerated_cells(conditioning)[0, 0, 1].nonzero().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    save_encoded({"source_00": own, "source_01": random}, tmp_path / "a.safetensors")
    save_encoded({"source_00": random}, tmp_path / "b.safetensors")
    samples = StoredSamples([tmp_path / "a.safetensors", tmp_path / "b.safetensors"], torch.device("cpu"))
    assert len(samples) == 3
    assert torch.equal(samples[0].conditioning["packed_mask"], own["packed_mask"])
    assert torch.equal(samples[2].conditioning["packed_mask"], samples[1].conditioning["packed_mask"])
    assert not torch.equal(samples[0].conditioning["packed_mask"], samples[1].conditioning["packed_mask"])


def test_samples_can_be_smaller_than_the_run() -> None:
    """Sides that the model takes; what the mask covers in part stays covered; whole size passes through."""
    video = np.random.default_rng(0).integers(0, 255, (5, 48, 96, 3), np.uint8)
    mask = np.zeros((5, 48, 96), np.bool_)
    mask[2, 47, 95] = True
    smaller, small_mask = shrink(video, mask, 0.5, 16)
    assert smaller.shape == (5, 32, 48, 3) and small_mask is not None and small_mask.shape == (5, 32, 48)
    assert small_mask.sum() > 0 and small_mask[2, 31, 47] and not small_mask[[0, 1, 3, 4]].any()
    assert abs(float(smaller.mean()) - float(video.mean())) < 1
    assert shrink(video, None, 0.01, 16)[0].shape == (5, 16, 16, 3) and shrink(video, None, 0.5, 16)[1] is None
    assert shrink(video, mask, 1.0, 16)[0] is video
