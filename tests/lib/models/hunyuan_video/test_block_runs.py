"""Blocks with two streams, of video and text, give the same numbers however they are run."""

from collections.abc import Iterator

import pytest
import torch

from lib.execution.block_runs import Execution
from lib.models.hunyuan_video.adapter import HunyuanVideoModel
from lib.models.hunyuan_video.family import FORMS
from lib.models.hunyuan_video.loading import place_transformer
from lib.training.lora import attach_lora
from tests.lib.execution.test_block_runs import NEEDS_COMPILER
from tests.lib.models.hunyuan_video.checkpoint import CHANNELS, POOLED_WIDTH, TEXT_WIDTH, transformer
from tests.lib.training.example_training import LAYERS

CPU, CELLS = torch.device("cpu"), (3, 4, 8)
WAYS = [
    *(Execution(saved=saved) for saved in ("most", "linear", "attention", "inputs")),
    Execution(saved="inputs", stream_weights=True, offload_inputs=True),
]
Outcome = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def _outcome(form: str, execution: Execution) -> Outcome:
    """Return the velocity without gradients, that with them in a second pass, and the LoRA's gradient."""
    torch.manual_seed(0)
    denoiser = place_transformer(transformer(form).requires_grad_(False), execution, CPU)
    model = HunyuanVideoModel(CPU, form, {"transformer": denoiser})
    parameters = attach_lora(denoiser, model.lora_target_modules(LAYERS), rank=4, alpha=4.0, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in parameters:
            parameter += 0.02 * torch.randn(parameter.shape, generator=generator)
    cells = torch.ones(1, 1, *CELLS)
    cells[:, :, 1:, :, :4] = 0
    latents, shown = torch.randn(2, 1, CHANNELS, *CELLS, generator=generator)
    conditioning = {
        "llava_states": torch.randn(1, 6, TEXT_WIDTH, generator=generator),
        "clip_pooled": torch.randn(1, POOLED_WIDTH, generator=generator),
        "shown_latents": shown * cells,
        "kept_cells" if form == "latent_concat" else "clean_cells": cells,
    }
    with torch.no_grad():
        plain = model.predict_velocity(latents, torch.tensor([0.5]), conditioning)
    velocity = model.predict_velocity(latents, torch.tensor([0.5]), conditioning)
    velocity.square().mean().backward()
    gradients = [parameter.grad for parameter in parameters]
    assert all(gradient is not None for gradient in gradients)
    return plain, velocity.detach(), torch.cat([gradient.flatten() for gradient in gradients])  # type: ignore[union-attr]


@pytest.fixture(scope="module", params=FORMS)
def usual(request: pytest.FixtureRequest) -> tuple[str, Outcome]:
    """What autograd by itself gives."""
    return request.param, _outcome(request.param, Execution())


@pytest.fixture(autouse=True)
def _forget_graphs() -> Iterator[None]:
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize("execution", WAYS, ids=lambda way: f"{way.saved}{'_streamed' * way.stream_weights}")
def test_how_blocks_are_run_changes_no_bit(execution: Execution, usual: tuple[str, Outcome]) -> None:
    """Whatever is kept, and wherever, outputs and gradients are the same, and the gradient reaches every layer."""
    form, expected = usual
    assert all(torch.equal(*pair) for pair in zip(_outcome(form, execution), expected, strict=True))
    assert expected[2].abs().mean() > 0


@NEEDS_COMPILER
def test_compiled_blocks_agree(usual: tuple[str, Outcome]) -> None:
    """Compiled with selective checkpoints, both kinds of block give the same to rounding, by two graphs each."""
    form, expected = usual
    torch._dynamo.utils.counters.clear()
    found = _outcome(form, Execution(compiled=True, saved="most"))
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours - theirs).norm() < 1e-5 * theirs.norm()
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 4  # with and without gradients


@pytest.mark.parametrize("weights", ["fp8", "fp8_products"])
def test_weights_in_8_bits_are_near(weights: str, usual: tuple[str, Outcome]) -> None:
    """Linear layers but for the modulation in 8 bits: nearly the same velocity, and not the same."""
    form, expected = usual
    found = _outcome(form, Execution(weights=weights))  # type: ignore[arg-type]
    difference = (found[0] - expected[0]).square().mean().sqrt() / expected[0].std()
    assert 0 < difference < 0.1
