"""Wan2.2-TI2V-5B: kept tokens and the sampler, held against diffusers' own pipeline."""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import WanImageToVideoPipeline

from lib.models.base import VideoModel
from lib.models.load import load_model
from lib.video.arrays import to_model_video
from tests.lib.models.wan.held_against import FRAMES, HEIGHT, SOURCE, WIDTH, condition, ours, plain_pipeline, sample
from tests.lib.models.wan.held_against import theirs as generated_by
from tests.lib.models.wan.relatives import write_ti2v

SHAPE = (1, 48, 3, HEIGHT // 16, WIDTH // 16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model."""
    return write_ti2v(tmp_path_factory.mktemp("ti2v"))


@pytest.fixture(scope="module")
def model(folder: Path) -> VideoModel:
    """All of it, by our adapter."""
    parts = {"vae", "encoders", "transformer"}
    return load_model(folder, parts, family="wan22_ti2v", device=torch.device("cpu"), dtype=torch.float32)


@pytest.fixture
def pipeline(folder: Path) -> WanImageToVideoPipeline:
    """The plain pipeline."""
    return plain_pipeline(folder)


def test_first_frame_conditioning_equals_the_pipelines(model: VideoModel, pipeline: WanImageToVideoPipeline) -> None:
    """The mask is the pipeline's inverted, the latents of frame 0 are its own, and nothing else is shown."""
    found = condition(model, "first_frame")
    image, noise = to_model_video(SOURCE)[:, :, 0], torch.zeros(SHAPE)
    with torch.no_grad():
        _, latents, mask = pipeline.prepare_latents(
            image, 1, 48, HEIGHT, WIDTH, FRAMES, torch.float32, torch.device("cpu"), None, noise
        )
    assert torch.equal(1 - found["token_cells"], mask)
    torch.testing.assert_close(found["token_latents"][:, :, :1], latents, atol=1e-6, rtol=1e-5)
    assert latents.std() > 0.01 and found["token_latents"][:, :, 1:].abs().max() == 0


def test_the_transformer_is_given_what_the_pipeline_gives(model: VideoModel, pipeline: WanImageToVideoPipeline) -> None:
    """Latents and a time for each token, in the first step: 0 for those of frame 0, and frame 0 clean."""
    given: list[dict[str, Any]] = []
    for transformer in (pipeline.transformer, model.transformer):
        handle = transformer.register_forward_pre_hook(lambda _, __, kept: given.append(kept), with_kwargs=True)
        generated_by(pipeline, 2, 1.0) if transformer is pipeline.transformer else sample(
            model, pipeline.scheduler.sigmas, 1.0
        )
        handle.remove()
    expected, found = given[0], given[2]
    torch.testing.assert_close(found["hidden_states"], expected["hidden_states"], atol=1e-5, rtol=1e-5)
    assert torch.equal(found["timestep"], expected["timestep"])
    tokens = HEIGHT // 32 * (WIDTH // 32)
    assert found["timestep"].tolist() == [[0.0] * tokens + [1000.0] * 2 * tokens]


@pytest.mark.parametrize("guidance", [1.0, 5.0])
def test_generated_video_equals_the_pipelines(
    model: VideoModel, pipeline: WanImageToVideoPipeline, guidance: float
) -> None:
    """Same seed, scheduler and guidance: the same video to 1e-3."""
    expected = generated_by(pipeline, 6, guidance)
    found = ours(model, pipeline.scheduler.sigmas, guidance)
    assert (found - expected).abs().max() < 1e-3
    assert expected.std() > 0.01  # two grey videos would agree as well
