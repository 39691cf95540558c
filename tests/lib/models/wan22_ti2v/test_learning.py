"""Wan2.2-TI2V-5B: what is kept stays, what is regenerated is learnt, and diffusers reads the LoRA."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import WanImageToVideoPipeline
from safetensors.torch import load_file

from lib.config.families import family_of
from lib.diffusion.flow_matching import sigma_schedule
from lib.inputs.checkpoints import read_lora_targets
from lib.inputs.lora_files import check_lora
from lib.models.base import Sample, VideoModel
from lib.models.load import load_model
from lib.training.loop import cell_weights, weighted_loss
from lib.training.lora import load_for_generation
from lib.video.arrays import to_model_video
from tests.lib.models.wan.held_against import (
    ADAPTER,
    OPTIMIZER,
    SOURCE,
    condition,
    sample,
    samples_of_stages,
    train,
)
from tests.lib.models.wan.relatives import write_ti2v

Stages = tuple[list[Sample], tuple[int, int, int]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model."""
    return write_ti2v(tmp_path_factory.mktemp("ti2v"))


def load(folder: Path) -> VideoModel:
    """Load all of it with our adapter."""
    parts = {"vae", "encoders", "transformer"}
    return load_model(folder, parts, family="wan22_ti2v", device=torch.device("cpu"), dtype=torch.float32)


@pytest.fixture(scope="module", params=["still", "placed"])
def stages(request: pytest.FixtureRequest, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Stages:
    """Encoded samples of both stages, for either kind of reference."""
    return samples_of_stages(load(folder), tmp_path_factory.mktemp("encoded"), request.param)


def test_kept_tokens_are_the_sources_and_have_no_time(folder: Path) -> None:
    """With a mask of a region: outside it clean latents of the source at t = 0, inside it noise at t."""
    model, given = load(folder), []
    handle = model.transformer.register_forward_pre_hook(lambda _, __, kept: given.append(kept), with_kwargs=True)
    latents = sample(model, sigma_schedule(4, 5.0), 1.0, "edit")
    handle.remove()
    source = model.encode_video(to_model_video(SOURCE))
    times = given[1]["timestep"].view(3, 2, 3)  # of tokens, in frames, rows and columns
    sigma = sigma_schedule(4, 5.0)[1] * 1000
    assert times[0].max() == 0 and times[1:, :, [0, 2]].max() == 0
    assert torch.equal(times[1:, :, 1], sigma.expand(2, 2))
    kept = 1 - model.regenerated_cells(condition(model, "edit"))
    shown = given[1]["hidden_states"]
    assert torch.equal(shown * kept, source * kept) and torch.allclose(latents * kept, source * kept, atol=1e-5)
    assert ((shown - source) * (1 - kept)).abs().max() > 0.1


def test_a_spatial_mask_changes_its_region_and_nothing_else(folder: Path) -> None:
    """Latents of the kept region are the source's, those of the other are made anew; without it both are.

    Of latents, since a decoder of random weights carries each of them into every pixel.
    """
    model = load(folder)
    source = model.encode_video(to_model_video(SOURCE))
    kept = 1 - model.regenerated_cells(condition(model, "edit"))
    assert kept[:, :, 1:].mean() == pytest.approx(2 / 3)
    errors = {}
    for kind in ("edit", "first_frame"):
        error = (sample(model, sigma_schedule(6, 5.0), 2.0, kind) - source).abs()[:, :, 1:]
        errors[kind] = [
            float(error[place.expand_as(error)].mean()) for place in (kept[:, :, 1:] > 0, kept[:, :, 1:] == 0)
        ]
    (kept_error, region_error), (kept_unmasked, region_unmasked) = errors["edit"], errors["first_frame"]
    assert kept_error < 1e-6 and region_error > 0.3
    assert kept_unmasked > 0.3 and region_unmasked > 0.3


def test_what_is_kept_is_no_part_of_the_loss(folder: Path, stages: Stages) -> None:
    """Other latents to learn where tokens are kept change nothing; where they are regenerated they do."""
    model, ((learnt, *_), _) = load(folder), stages
    kept = 1 - model.regenerated_cells(learnt.conditioning)
    noise, sigma = torch.randn(learnt.latents.shape, generator=torch.Generator().manual_seed(0)), torch.tensor([0.5])

    def loss(latents: torch.Tensor, region_weight: float) -> float:
        with torch.no_grad():
            velocity = model.predict_velocity(0.5 * latents + 0.5 * noise, sigma, learnt.conditioning)
            weights = cell_weights(model, latents, learnt.conditioning, region_weight)
            return float(weighted_loss(velocity, noise - latents, weights))

    expected = loss(learnt.latents, 1.0)
    assert loss(learnt.latents + kept, 1.0) == loss(learnt.latents, 3.0) == expected > 0
    assert loss(learnt.latents + (1 - kept), 1.0) != pytest.approx(expected, rel=1e-2)
    everything = replace(learnt, conditioning={**learnt.conditioning, "token_cells": torch.ones_like(kept)})
    weights = cell_weights(model, learnt.latents, everything.conditioning, 1.0)
    assert weighted_loss(learnt.latents, noise, weights) == 0


def test_both_stages_train_and_the_plain_pipeline_reads_the_lora(folder: Path, stages: Stages, tmp_path: Path) -> None:
    """The loss of the region falls, stage 2 goes on, and transformer weights are those that diffusers makes."""
    samples, counts = stages
    quick = replace(OPTIMIZER, learning_rate=0.02)
    lora = train(load(folder), samples[:1], (1, 0, 0), tmp_path / "one.safetensors", 60, optimizer=quick)
    losses = [float(line.split('"loss": ')[1].split(",")[0]) for line in lora.with_suffix(".jsonl").open()]
    assert np.mean(losses[-15:]) < 0.9 * np.mean(losses[:5])
    second = train(load(folder), samples, counts, tmp_path / "two.safetensors", 4, start_from=lora)
    before, after = load_file(lora), load_file(second)
    assert before.keys() == after.keys() and not all(torch.equal(before[key], after[key]) for key in before)
    assert check_lora(second, read_lora_targets(str(folder), family_of("wan22_ti2v")), ADAPTER.rank) == []
    model = load(folder)
    plain = _say(model.transformer)
    load_for_generation(model, second, 1.0)
    pipeline = WanImageToVideoPipeline.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    pipeline.load_lora_weights(second)
    torch.testing.assert_close(_say(pipeline.transformer), _say(model.transformer), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(_say(model.transformer), plain, atol=1e-3)


def _say(transformer: Any) -> torch.Tensor:
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        answer: torch.Tensor = transformer(
            hidden_states=torch.randn(1, 48, 2, 4, 4, generator=draw),
            timestep=torch.tensor([[0.0] * 4 + [500.0] * 4]),
            encoder_hidden_states=torch.randn(1, 6, 64, generator=draw),
            return_dict=False,
        )[0]
    return answer
