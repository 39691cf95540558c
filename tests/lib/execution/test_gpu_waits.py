"""On a GPU neither the training loop nor the denoising loop makes the host wait, as far as PyTorch can tell."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lib.config.sections import MemoryMode
from lib.diffusion.denoising import Lock, denoise
from lib.diffusion.flow_matching import sigma_schedule
from lib.execution.memory_modes import MemoryUse
from lib.models.base import Sample, VideoModel
from lib.models.load import load_model
from lib.training.loop import start_training, train
from lib.training.lora import attach_lora
from lib.training.loss_curve import LossCurve
from lib.training.state import state_writer
from tests.conftest import TINY_WAN
from tests.lib.training.example_training import ADAPTER, OBJECTIVE, OPTIMIZER, sample_of

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="only a GPU computes beside the host")


@pytest.fixture
def waits_are_errors() -> Iterator[Callable[[], None]]:
    """Switch on PyTorch's own watch: from then on whatever makes the host wait for the GPU raises."""
    yield partial(torch.cuda.set_sync_debug_mode, "error")
    torch.cuda.set_sync_debug_mode("default")


def _load(mode: MemoryMode, training: bool) -> tuple[VideoModel, Sample]:
    """Load the demo's model on the GPU, with a sample."""
    device = torch.device("cuda")
    use = MemoryUse(mode, "native", (1, 16, 3, 8, 8), training)
    model = load_model(TINY_WAN, {"transformer"}, device=device, dtype=torch.bfloat16, memory=use)
    sample = sample_of(model, 1)
    conditioning = {name: values.to(device) for name, values in sample.conditioning.items()}
    conditioning |= {name: conditioning[name].bfloat16() for name in ("prompt_embeds", "image_embeds")}
    return model, Sample(sample.latents.to(device), conditioning)


@pytest.mark.parametrize("mode", ["fast", "balanced", "low"])
def test_training_never_waits_for_the_gpu(
    mode: MemoryMode, waits_are_errors: Callable[[], None], tmp_path: Path
) -> None:
    """From the second round on: a clip, a part of one, and both in a step, the part twice; the region weighs more.

    Nor does a state that is kept meanwhile, which is that of its step.
    """
    model, whole = _load(mode, training=True)
    part = Sample(whole.latents[:, :, 1:], model.select_frames(whole.conditioning, [1, 2]))
    targets = model.lora_target_modules(ADAPTER.layers)
    parameters = attach_lora(model.transformer, targets, ADAPTER.rank, ADAPTER.alpha, 7)
    state, schedule = start_training(parameters, OPTIMIZER, 7), [(0,), (1,), (1, 0, 1)] * 3
    objective = replace(OBJECTIVE, region_weight=10.0)
    started = time.perf_counter()
    curve = LossCurve(state.curve, schedule, lambda *_: None, model.device)
    with state_writer(tmp_path / "state", "a training") as save:
        for step, loss in train(model, state, [whole, part], schedule, OPTIMIZER, objective):
            curve.add(step, loss)
            if step == 3:
                waits_are_errors()
            if step == 5:
                save(state, False)
                kept = [parameter.detach().clone() for parameter in parameters]
        curve.read()
        took = time.perf_counter() - started
    seconds = [json.loads(row)["seconds"] for row in state.curve]
    assert len(seconds) == len(schedule) and min(seconds) > 0
    assert sum(seconds) < 1.01 * took, "the steps follow one another on the GPU's clock, within what the host counted"
    torch.cuda.set_sync_debug_mode("default")
    written = load_file(tmp_path / "state")
    assert all(torch.equal(written[f"parameter.{index}"], each.cpu()) for index, each in enumerate(kept))
    assert not all(map(torch.equal, kept, parameters)), "else later steps changed nothing"


@pytest.mark.parametrize("mode", ["fast", "low"])
def test_denoising_never_waits_for_the_gpu(mode: MemoryMode, waits_are_errors: Callable[[], None]) -> None:
    """With guidance and a lock, from the third step on."""
    model, sample = _load(mode, training=False)
    negative = {"prompt_embeds": sample.conditioning["prompt_embeds"] * 0}
    lock = Lock(sample.latents, sample.latents[:, :1] > 0)
    done: list[int] = []

    def note(step: int) -> None:
        done.append(step)
        if step == 2:
            waits_are_errors()

    guided = (sample.conditioning, negative, 5.0)
    denoise(model, sample.latents, sigma_schedule(5, 5.0), *guided, note, lock)
    assert done == [1, 2, 3, 4, 5]
