"""Drafts: steps that reuse the step before, with diffusers' First Block Cache."""

import pytest
import torch

from lib.diffusion.denoising import denoise, draw_noise
from lib.diffusion.flow_matching import sigma_schedule
from lib.execution.memory_modes import MemoryUse
from lib.models.base import Conditioning, VideoModel
from lib.models.load import load_model
from tests.conftest import TINY_WAN

NUM_STEPS = 12
CELLS = (3, 8, 12)


def _conditioning(model: VideoModel) -> tuple[Conditioning, Conditioning]:
    video = torch.zeros(1, 3, 4 * CELLS[0] - 3, 8 * CELLS[1], 8 * CELLS[2])
    keep = torch.zeros_like(video[:, :1])
    keep[:, :, 0] = 1
    conditioning = model.encode_conditioning("a red star", video, keep, video[:, :, :1])
    return conditioning, model.encode_prompt("blurred")


def _sample(model: VideoModel, threshold: float, seed: int = 3) -> tuple[torch.Tensor, int]:
    """Return the latents, and how many times the last block was computed."""
    transformer, counted = model.transformer, []
    conditioning, negative = _conditioning(model)
    handle = transformer.blocks[-1].ffn.register_forward_hook(lambda *_: counted.append(1))
    noise = draw_noise(torch.Size((1, 16, *CELLS)), seed, model.device)
    model.begin_sampling(threshold)
    sigmas = sigma_schedule(NUM_STEPS, 5.0)
    latents = denoise(model, noise, sigmas, conditioning, negative, 5.0, lambda _: None)
    handle.remove()
    return latents, len(counted)


@pytest.fixture(scope="module")
def model() -> VideoModel:
    """The tiny model, all of it."""
    parts = {"vae", "encoders", "transformer"}
    return load_model(TINY_WAN, parts, device=torch.device("cpu"), dtype=torch.float32)


def test_without_a_threshold_every_step_is_computed(model: VideoModel) -> None:
    """Two passes a step; and what a cached video left behind changes nothing."""
    before, num_computed = _sample(model, 0.0)
    assert num_computed == 2 * NUM_STEPS
    _sample(model, 0.5)
    assert torch.equal(_sample(model, 0.0)[0], before)


def test_a_cached_video_takes_fewer_passes_and_comes_out_alike(model: VideoModel) -> None:
    """Nearer to the whole computation than another seed's, with fewer blocks computed, the same each time."""
    whole, num_whole = _sample(model, 0.0)
    cached, num_cached = _sample(model, 0.1)
    assert NUM_STEPS / 2 < num_cached < 0.9 * num_whole
    assert (cached - whole).abs().mean() < 0.5 * (_sample(model, 0.0, seed=4)[0] - whole).abs().mean()
    again, num_again = _sample(model, 0.1)
    assert torch.equal(again, cached) and num_again == num_cached


def test_streamed_weights_can_be_skipped(model: VideoModel) -> None:
    """In mode low the block after the first was fetched in vain where it is skipped; the numbers stay."""
    parts, use = {"vae", "encoders", "transformer"}, MemoryUse("low")
    low = load_model(TINY_WAN, parts, device=torch.device("cpu"), dtype=torch.float32, memory=use)
    ours, num_ours = _sample(low, 0.1)
    theirs, num_theirs = _sample(model, 0.1)
    assert num_ours == num_theirs
    torch.testing.assert_close(ours, theirs)
