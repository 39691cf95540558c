"""The training loop learns, repeats, and mixes samples as told."""

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from lib.config.sections import MemoryMode
from lib.core.errors import InputError
from lib.diffusion.flow_matching import add_noise, target_velocity
from lib.execution.memory_modes import MemoryUse
from lib.models.base import Sample, VideoModel
from lib.models.load import load_model
from lib.training.fine_tuning import train_lora
from lib.training.loop import start_training, train
from lib.training.lora import attach_lora
from lib.training.state import state_path
from tests.conftest import TINY_WAN
from tests.lib.training.example_training import ADAPTER, LAYERS, OBJECTIVE, OPTIMIZER, files_of, sample_of


def _losses(model: VideoModel, folder: Path, num_steps: int) -> list[float]:
    curve = folder / "curve.jsonl"
    samples = [sample_of(model, 1)]
    lora = folder / "lora.safetensors"
    train_lora(model, samples, [(0,)] * num_steps, ADAPTER, OPTIMIZER, OBJECTIVE, **files_of(lora, curve))
    return [json.loads(line)["loss"] for line in curve.read_text().splitlines()]


def test_loss_falls(tiny_wan: VideoModel, tmp_path: Path) -> None:
    """Forty steps on one sample bring the loss down by a tenth or more."""
    losses = _losses(tiny_wan, tmp_path, num_steps=40)
    assert len(losses) == 40
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])


def test_same_seed_gives_the_same_lora_byte_for_byte(tiny_wan: VideoModel, tmp_path: Path) -> None:
    """Two runs on fresh models agree in every loss and every byte of the file."""
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
    _losses(tiny_wan, tmp_path, num_steps=2)
    fresh = load_model(TINY_WAN, {"transformer"}, device=torch.device("cpu"), dtype=torch.float32)
    stage_1, stage_2 = tmp_path / "lora.safetensors", tmp_path / "second.safetensors"
    files = files_of(stage_2, tmp_path / "second.jsonl", start_from=stage_1)
    train_lora(fresh, [sample_of(fresh, 1)], [], ADAPTER, OPTIMIZER, OBJECTIVE, **files)
    weights = load_file(stage_1)
    assert weights.keys() == load_file(stage_2).keys()
    assert all(torch.equal(load_file(stage_2)[name], weight) for name, weight in weights.items())


def test_rate_falls_over_the_last_steps_only() -> None:
    """Constant, then in a straight line towards 0, which the step after the last would have."""
    falling = replace(OPTIMIZER, learning_rate=1.0, decay_share=0.5)
    assert [falling.rate(step, 8) for step in range(1, 9)] == [1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]
    assert {OPTIMIZER.rate(step, 8) for step in range(1, 9)} == {OPTIMIZER.learning_rate}


@pytest.mark.parametrize("region_weight", [1.0, 3.0])
def test_samples_of_a_step_are_one_batch(region_weight: float, tiny_wan: VideoModel) -> None:
    """Two clips, one of them twice, and a part of one, which has another shape: a loss for each noise level by itself.

    The mean of these is the loss, and its gradient the one by which the LoRA moves, in each memory mode. The clips
    differ in all that they are shown, and in where in time their frames stand.
    """
    samples = [_placed(tiny_wan, seed, positions) for seed, positions in ((1, [0, 2]), (2, [1, 2]), (3, [2]))]
    step, objective = (1, 0, 2, 1), replace(OBJECTIVE, region_weight=region_weight)
    expected, losses = _one_by_one(tiny_wan, [[samples[2]], [samples[1], samples[0], samples[1]]], region_weight)
    for mode in get_args(MemoryMode):
        use = MemoryUse(mode, training=True)
        model = load_model(TINY_WAN, {"transformer"}, device=torch.device("cpu"), dtype=torch.float32, memory=use)
        parameters = _attach_random_lora(model)
        state = start_training(parameters, OPTIMIZER, 7)
        ((_, loss),) = train(model, state, samples, [step], OPTIMIZER, objective)
        assert loss.item() == pytest.approx(sum(losses) / 4, rel=1e-5)
        for parameter, gradient in zip(parameters, expected, strict=True):
            assert torch.allclose(parameter.grad, gradient, rtol=1e-3, atol=1e-7)
    assert min(abs(one - other) for one, other in combinations(losses, 2)) > 1e-3, "else one could pass for another"


def _placed(model: VideoModel, seed: int, positions: list[int]) -> Sample:
    """Draw a sample of some frames of a clip."""
    sample = sample_of(model, seed)
    sample.conditioning["packed_mask"][:, :, :, : 2 * seed] = 0
    return Sample(sample.latents[:, :, : len(positions)], model.select_frames(sample.conditioning, positions))


def _attach_random_lora(model: VideoModel) -> list[torch.nn.Parameter]:
    """A fresh one adds nothing, so that half of its matrices would have no gradient."""
    parameters = attach_lora(model.transformer, model.lora_target_modules(LAYERS), 8, 8.0, 7)
    generator = torch.Generator().manual_seed(8)
    for parameter in parameters:
        parameter.data.normal_(std=0.05, generator=generator)
    return parameters


def _one_by_one(
    model: VideoModel, batches: list[list[Sample]], region_weight: float
) -> tuple[list[torch.Tensor], list[float]]:
    """Return the clipped gradient of a step, and the loss of each of its samples, computed apart."""
    parameters = _attach_random_lora(model)
    generator, total, losses = torch.Generator().manual_seed(7), torch.zeros(()), []
    num_samples = sum(len(batch) for batch in batches)
    for batch in batches:
        sigmas = torch.rand(len(batch), generator=generator)
        noises = torch.randn(len(batch), *batch[0].latents.shape[1:], generator=generator)
        weights = [1 + (region_weight - 1) * model.regenerated_cells(each.conditioning) for each in batch]
        for sample, sigma, noise, weight in zip(batch, sigmas.split(1), noises.split(1), weights, strict=True):
            velocity = model.predict_velocity(add_noise(sample.latents, noise, sigma), sigma, sample.conditioning)
            error = (velocity - target_velocity(sample.latents, noise)).square()
            loss = (error * weight).mean() / torch.stack([each.mean() for each in weights]).mean()
            losses.append(loss.item())
            total = total + loss / num_samples
    gradients = list(torch.autograd.grad(total, parameters))
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
    return [gradient * (OPTIMIZER.gradient_clip / norm).clamp(max=1) for gradient in gradients], losses


@pytest.mark.parametrize("mode", ["balanced", "low"])
def test_memory_mode_changes_nothing_but_memory(mode: MemoryMode, tmp_path: Path) -> None:
    """Computing activations again and streaming weights give the same LoRA, bit for bit here, and it learns."""
    files = []
    for each in ("fast", mode):
        use = MemoryUse(each, training=True)
        model = load_model(TINY_WAN, {"transformer"}, device=torch.device("cpu"), dtype=torch.float32, memory=use)
        losses = _losses(model, tmp_path / each, num_steps=4)
        files.append(load_file(tmp_path / each / "lora.safetensors"))
    assert losses[0] != losses[-1]
    assert files[0].keys() == files[1].keys()
    assert all(torch.equal(files[0][name], files[1][name]) for name in files[0])


def test_bfloat16_base_trains_a_float32_adapter(tmp_path: Path) -> None:
    """As on a GPU: frozen weights in bfloat16, adapter, loss and file in float32."""
    model = load_model(TINY_WAN, {"transformer"}, device=torch.device("cpu"), dtype=torch.bfloat16)
    sample = sample_of(model, 1)
    conditioning = {**sample.conditioning, "prompt_embeds": sample.conditioning["prompt_embeds"].bfloat16()}
    files = files_of(tmp_path / "lora.safetensors", tmp_path / "curve.jsonl")
    train_lora(model, [Sample(sample.latents, conditioning)], [(0,)] * 20, ADAPTER, OPTIMIZER, OBJECTIVE, **files)
    losses = [json.loads(line)["loss"] for line in (tmp_path / "curve.jsonl").read_text().splitlines()]
    assert sum(losses[-5:]) < sum(losses[:5])
    assert {tensor.dtype for tensor in load_file(tmp_path / "lora.safetensors").values()} == {torch.float32}
    base = [tensor for name, tensor in model.transformer.named_parameters() if "lora_" not in name]
    assert torch.bfloat16 in {tensor.dtype for tensor in base}


def test_loss_that_is_no_number_stops_with_advice(tiny_wan: VideoModel, tmp_path: Path) -> None:
    """A run that has gone astray is not carried on, and leaves no LoRA behind."""
    sample = sample_of(tiny_wan, 1)
    broken = Sample(sample.latents * float("inf"), sample.conditioning)
    files = files_of(tmp_path / "lora.safetensors", tmp_path / "curve.jsonl")
    with pytest.raises(InputError, match="training.learning_rate: found a loss of nan at step 1"):
        train_lora(tiny_wan, [broken], [(0,)], ADAPTER, OPTIMIZER, OBJECTIVE, **files)
    assert list(tmp_path.iterdir()) == []


def test_a_heavier_region_counts_more_in_the_loss(tiny_wan: VideoModel, tmp_path: Path) -> None:
    """The first loss, of the same noise, is the mean of the errors in and outside the region, weighted 3 to 1."""
    sample = sample_of(tiny_wan, 1)
    sample.conditioning["packed_mask"][:, 2:, 1:, :, :4] = 0  # half of two of the three latent frames: a third of all
    region = tiny_wan.regenerated_cells(sample.conditioning).expand_as(sample.latents)
    assert region.mean() == pytest.approx(1 / 3)
    first = {}
    for weight in (1e-9, 1.0, 3.0):
        fresh = load_model(TINY_WAN, {"transformer"}, device=torch.device("cpu"), dtype=torch.float32)
        files = files_of(tmp_path / "lora.safetensors", tmp_path / "curve.jsonl")
        train_lora(fresh, [sample], [(0,)], ADAPTER, OPTIMIZER, replace(OBJECTIVE, region_weight=weight), **files)
        first[weight] = json.loads((tmp_path / "curve.jsonl").read_text())["loss"]
    outside = first[1e-9]
    inside = 3 * first[1.0] - 2 * outside
    assert first[3.0] == pytest.approx((3 * inside + 2 * outside) / 5, rel=1e-4)
    assert abs(inside / outside - 1) > 1e-3, "else the weights could not be told apart"


def test_a_gradient_that_is_no_number_stops_with_its_loss_still_finite(
    tiny_wan: VideoModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the last step too: neither a LoRA nor a state of such numbers is ever written."""
    monkeypatch.setattr("lib.training.fine_tuning.STEPS_BETWEEN_SAVES", 1)
    sample = sample_of(tiny_wan, 1)
    num_backward = [0]

    def spoil(gradient: torch.Tensor) -> torch.Tensor:
        num_backward[0] += 1
        return gradient * float("nan") if num_backward[0] == 3 else gradient

    predict = tiny_wan.predict_velocity

    def predict_and_spoil(*given: Any, **named: Any) -> torch.Tensor:
        velocity = predict(*given, **named)
        velocity.register_hook(spoil)
        return velocity

    monkeypatch.setattr(tiny_wan, "predict_velocity", predict_and_spoil)
    files = files_of(tmp_path / "lora.safetensors", tmp_path / "curve.jsonl")
    with pytest.raises(InputError, match="at step 3, or a gradient that is no number"):
        train_lora(tiny_wan, [sample], [(0,)] * 3, ADAPTER, OPTIMIZER, OBJECTIVE, **files)
    assert not (tmp_path / "lora.safetensors").exists()
    with safe_open(state_path(tmp_path / "lora.safetensors"), framework="pt") as kept:
        assert all(kept.get_tensor(name).isfinite().all() for name in kept.keys())  # noqa: SIM118, not a mapping
