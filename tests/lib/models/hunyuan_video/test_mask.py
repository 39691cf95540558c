"""A mask in space: what is kept is shown and comes back, what is to be regenerated is hidden and does not."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lib.diffusion.conditioning import make_keep_mask
from lib.diffusion.denoising import denoise, draw_noise
from lib.diffusion.flow_matching import sigma_schedule
from lib.execution.block_runs import Execution
from lib.models.base import Conditioning, Sample, VideoModel
from lib.models.hunyuan_video.adapter import HunyuanVideoModel
from lib.models.hunyuan_video.loading import place_transformer
from lib.models.load import load_model
from lib.training.loop import Objective, Optimizer, start_training, train
from lib.video.arrays import to_model_video
from tests.lib.models.hunyuan_video.checkpoint import CHANNELS, POOLED_WIDTH, TEXT_WIDTH, checkpoint, transformer
from tests.lib.video.example_videos import smooth_video

CPU = torch.device("cpu")
CELLS, NUM_STEPS, NUM_SAMPLES = (3, 4, 8), 300, 64
FRAMES, HEIGHT, WIDTH = 9, 48, 64


def _encode(model: VideoModel, source_video: np.ndarray, edit_mask: np.ndarray) -> Conditioning:
    video = to_model_video(source_video)
    keep_mask = make_keep_mask("edit", edit_mask, model.frame_stride)
    return model.encode_condition_video(video, keep_mask)


def test_what_is_to_be_regenerated_is_not_shown(tmp_path: Path) -> None:
    """Of a moving region no pixel reaches the condition; its cells are zero, also those that it only touches."""
    folder = checkpoint(tmp_path)
    model = load_model(folder, {"vae"}, family="hunyuan_video", device=CPU, dtype=torch.float32)
    source, mask = smooth_video(FRAMES, HEIGHT, WIDTH), np.zeros((FRAMES, HEIGHT, WIDTH), bool)
    mask[1:5, 16:25, 16:40], mask[5:, 16:25, 32:41] = True, True
    shown = _encode(model, source, mask)
    expected = torch.ones(3, HEIGHT // 8, WIDTH // 8)
    expected[1, 2:4, 2:5], expected[2, 2:4, 4:6] = 0, 0
    assert torch.equal(shown["kept_cells"][0, 0], expected)
    assert torch.equal(shown["shown_latents"] == 0, (expected == 0).expand(1, CHANNELS, *expected.shape))
    other = _encode(model, np.where(mask[..., None], 255 - source, source), mask)
    assert all(torch.equal(shown[name], other[name]) for name in shown)
    outside = _encode(model, np.where(mask[..., None], source, 255 - source), mask)
    assert torch.equal(shown["kept_cells"], outside["kept_cells"])
    assert not torch.allclose(shown["shown_latents"], outside["shown_latents"], atol=0.01)


def _sample(seed: int, side: str) -> Sample:
    """Draw latents that nothing but seeing them could tell, of which one side is to be regenerated."""
    latents = torch.randn(1, CHANNELS, *CELLS, generator=torch.Generator().manual_seed(seed))
    kept = torch.ones(1, 1, *CELLS)
    kept[:, :, 1:, :, slice(0, 4) if side == "left" else slice(4, 8)] = 0
    words = {"llava_states": torch.zeros(1, 2, TEXT_WIDTH), "clip_pooled": torch.zeros(1, POOLED_WIDTH)}
    return Sample(latents, {**words, "shown_latents": latents * kept, "kept_cells": kept})


@pytest.fixture(scope="module")
def trained() -> VideoModel:
    """A model of which all weights were trained on such latents, by the method's own loop."""
    torch.manual_seed(0)
    denoiser = place_transformer(transformer("latent_concat", num_heads=4), Execution(), CPU)
    model = HunyuanVideoModel(CPU, "latent_concat", {"transformer": denoiser})
    optimizer = Optimizer(3e-3, decay_share=0.3, beta1=0.9, beta2=0.99, weight_decay=0.0, gradient_clip=1.0)
    samples = [_sample(seed, ("left", "right")[seed % 2]) for seed in range(NUM_SAMPLES)]
    schedule = [(step % NUM_SAMPLES,) for step in range(NUM_STEPS)]
    state = start_training(list(denoiser.parameters()), optimizer, seed=0)
    for _ in train(model, state, samples, schedule, optimizer, Objective(sigma_shift=1.0, region_weight=1.0)):
        pass
    return model


@pytest.mark.parametrize("side", ["left", "right"])
def test_what_is_kept_comes_back_and_nothing_else(trained: VideoModel, side: str) -> None:
    """Of latents never seen before the kept ones are generated, and the others, which nothing tells, are not."""
    kept_error, regenerated_error = 0.0, 0.0
    for seed in range(1000, 1004):
        sample = _sample(seed, side)
        noise = draw_noise(sample.latents.shape, seed + 1, CPU)
        latents = denoise(trained, noise, sigma_schedule(8, 1.0), sample.conditioning, {}, 1.0, lambda _: None)
        regenerated = trained.regenerated_cells(sample.conditioning).bool().expand_as(latents)
        error = (latents - sample.latents).square()
        kept_error += float(error[~regenerated].mean()) / 4
        regenerated_error += float(error[regenerated].mean()) / 4
    assert kept_error < 0.4 < 0.9 < regenerated_error
