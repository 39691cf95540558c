"""The training loop learns, repeats, and mixes samples as told."""

import json
from pathlib import Path

import pytest
import torch

from lib.models.base import Sample, VideoModel
from lib.training import Adapter, Optimizer, make_schedule, train_lora

OPTIMIZER = Optimizer(learning_rate=2e-3, beta1=0.9, beta2=0.99, weight_decay=0.01, gradient_clip=1.0)
ADAPTER = Adapter(rank=8, alpha=8.0, feed_forward=True)


def _sample(model: VideoModel, seed: int) -> Sample:
    generator = torch.Generator().manual_seed(seed)
    config = model.transformer.config
    latents = torch.randn(1, 16, 3, 8, 8, generator=generator)
    conditioning = {
        "prompt_embeds": torch.randn(1, 6, config.text_dim, generator=generator),
        "image_embeds": torch.randn(1, 5, config.image_dim, generator=generator),
        "packed_mask": torch.ones(1, 4, 3, 8, 8),
        "condition_latents": latents.clone(),
    }
    return Sample(latents, conditioning)


def _losses(model: VideoModel, folder: Path, num_steps: int) -> list[float]:
    curve = folder / "curve.jsonl"
    samples = [_sample(model, 1)]
    lora = folder / "lora.safetensors"
    train_lora(model, samples, make_schedule(num_steps, 0, 1.0), ADAPTER, OPTIMIZER, 7, None, lora, curve)
    return [json.loads(line)["loss"] for line in curve.read_text().splitlines()]


def test_loss_falls(tiny_wan: VideoModel, tmp_path: Path) -> None:
    """Forty steps on one sample bring the loss down by a tenth or more."""
    losses = _losses(tiny_wan, tmp_path, num_steps=40)
    assert len(losses) == 40
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])


def test_same_seed_gives_the_same_lora_byte_for_byte(tiny_wan: VideoModel, tmp_path: Path) -> None:
    """Two runs on fresh models agree in every loss and every byte of the file."""
    from tests.conftest import TINY_WAN, load_model

    first, second = tmp_path / "first", tmp_path / "second"
    losses = _losses(tiny_wan, first, num_steps=4)
    again = load_model(TINY_WAN, {"transformer"}, device=torch.device("cpu"), dtype=torch.float32)
    assert _losses(again, second, num_steps=4) == losses
    assert (first / "lora.safetensors").read_bytes() == (second / "lora.safetensors").read_bytes()


def test_base_weights_never_change(tiny_wan: VideoModel, tmp_path: Path) -> None:
    """Training moves the adapter only."""
    before = {name: value.clone() for name, value in tiny_wan.transformer.state_dict().items()}
    _losses(tiny_wan, tmp_path, num_steps=2)
    after = {name.replace(".base_layer", ""): value for name, value in tiny_wan.transformer.state_dict().items()}
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_second_stage_continues_the_first(tiny_wan: VideoModel, tmp_path: Path) -> None:
    """Stage 2 with zero steps writes stage 1's weights again."""
    from safetensors.torch import load_file

    from tests.conftest import TINY_WAN, load_model

    _losses(tiny_wan, tmp_path, num_steps=2)
    fresh = load_model(TINY_WAN, {"transformer"}, device=torch.device("cpu"), dtype=torch.float32)
    stage_1, stage_2 = tmp_path / "lora.safetensors", tmp_path / "second.safetensors"
    train_lora(fresh, [_sample(fresh, 1)], [], ADAPTER, OPTIMIZER, 7, stage_1, stage_2, tmp_path / "second.jsonl")
    weights = load_file(stage_1)
    assert weights.keys() == load_file(stage_2).keys()
    assert all(torch.equal(load_file(stage_2)[name], weight) for name, weight in weights.items())


@pytest.mark.parametrize(("num_references", "source_share"), [(1, 0.1), (3, 0.1), (2, 0.5), (2, 0.0)])
def test_stage_two_mixes_source_and_references(num_references: int, source_share: float) -> None:
    """The share of source steps is as asked, and references take even turns."""
    schedule = make_schedule(100, num_references, source_share)
    counts = [schedule.count(index) for index in range(num_references + 1)]
    assert sum(counts) == 100
    assert counts[0] == round(100 * source_share)
    assert max(counts[1:]) - min(counts[1:]) <= 1


def test_stage_one_repeats_the_source() -> None:
    """Without references every step is on the source clip."""
    assert make_schedule(5, 0, 1.0) == [0] * 5
