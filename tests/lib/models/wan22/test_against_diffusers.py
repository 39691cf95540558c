"""Wan2.2-I2V-A14B: conditioning, sampler and the change of experts, held against diffusers' own pipeline."""

import weakref
from functools import partial
from pathlib import Path

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, WanImageToVideoPipeline
from torch import nn

from lib.diffusion.flow_matching import sigma_schedule
from lib.execution.memory_modes import MemoryUse
from lib.models.base import VideoModel
from lib.models.experts import Expert
from lib.models.load import load_model
from lib.video.arrays import to_model_video
from tests.lib.models.wan.held_against import FRAMES, HEIGHT, PROMPT, SOURCE, WIDTH, condition, ours, plain_pipeline
from tests.lib.models.wan.held_against import theirs as generated_by
from tests.lib.models.wan.relatives import write_a14b

NUM_STEPS, SHIFT = 4, 3.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model whose experts change right at the second of the steps that are taken here."""
    scheduler = FlowMatchEulerDiscreteScheduler(shift=SHIFT)
    scheduler.set_timesteps(NUM_STEPS)
    return write_a14b(tmp_path_factory.mktemp("a14b"), float(scheduler.timesteps[1]) / 1000)


def load(folder: Path, use: MemoryUse | None = None) -> VideoModel:
    """Load all of it with our adapter."""
    parts = {"vae", "encoders", "transformer"}
    return load_model(folder, parts, family="wan22", device=torch.device("cpu"), dtype=torch.float32, memory=use)


@pytest.fixture
def pipeline(folder: Path) -> WanImageToVideoPipeline:
    """The plain pipeline."""
    return plain_pipeline(folder, SHIFT)


def test_first_frame_conditioning_equals_the_pipelines(folder: Path, pipeline: WanImageToVideoPipeline) -> None:
    """Mask, condition latents and prompt are the pipeline's, bit for bit, and there is no picture for CLIP."""
    found = condition(load(folder), "first_frame")
    assert found.keys() == {"prompt_embeds", "packed_mask", "condition_latents"}
    image = to_model_video(SOURCE)[:, :, 0]
    noise = torch.zeros(1, 16, (FRAMES - 1) // 4 + 1, HEIGHT // 8, WIDTH // 8)
    given = (image, 1, 16, HEIGHT, WIDTH, FRAMES, torch.float32, torch.device("cpu"), None, noise)
    with torch.no_grad():
        _, expected = pipeline.prepare_latents(*given)
        length = pipeline.tokenizer.model_max_length
        prompt, _ = pipeline.encode_prompt(PROMPT, do_classifier_free_guidance=False, max_sequence_length=length)
    assert torch.equal(torch.cat([found["packed_mask"], found["condition_latents"]], dim=1), expected)
    assert torch.equal(found["prompt_embeds"], prompt)


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_generated_video_equals_the_pipelines(folder: Path, pipeline: WanImageToVideoPipeline, guidance: float) -> None:
    """Same seed, scheduler and guidance: the same video to 1e-3, with a step right at the boundary."""
    expected = generated_by(pipeline, NUM_STEPS, guidance)
    found = ours(load(folder), pipeline.scheduler.sigmas, guidance)
    assert (found - expected).abs().max() < 1e-3
    assert expected.std() > 0.01  # two grey videos would agree as well
    later = pipeline.config.boundary_ratio + 0.01  # the step at the boundary would be the other expert's
    pipeline.register_to_config(boundary_ratio=later)
    assert (generated_by(pipeline, NUM_STEPS, guidance) - expected).abs().max() > 2e-3


def test_experts_change_once(folder: Path) -> None:
    """Down from the highest noise: first the one, from below the boundary on the other."""
    model, passes = load(folder), []
    model.experts.change(
        "count", lambda expert, module: module.register_forward_hook(lambda *_: passes.append(expert.name))
    )
    ours(model, sigma_schedule(8, 5.0), 1.0)
    boundary = model.experts.all[0].lowest
    high = sum(1 for sigma in sigma_schedule(8, 5.0)[:-1] if sigma >= boundary)
    assert 0 < high < 8
    assert passes == ["transformer"] * high + ["transformer_2"] * (8 - high)


def test_one_expert_at_a_time_is_the_same_video(folder: Path, pipeline: WanImageToVideoPipeline) -> None:
    """Mode low keeps one of them in memory, whichever it needs, for one video after another."""
    both, low = load(folder), load(folder, MemoryUse("low"))
    expected = ours(both, pipeline.scheduler.sigmas, 4.0)
    first = weakref.ref(low.experts.module)
    for _ in range(2):
        assert torch.allclose(ours(low, pipeline.scheduler.sigmas, 4.0), expected, atol=1e-5)
        assert len(low.experts._loaded) == 1 and low.experts.current.name == "transformer_2"
    assert len(both.experts._loaded) == 2
    assert first() is None, "its weights are let go"


def test_drafts_reuse_steps_of_either_expert(folder: Path) -> None:
    """Each expert has a cache of its own, empty when its turn begins, however many are in memory."""
    found = []
    for use in (None, MemoryUse("low")):
        model, passes = load(folder, use), []
        model.experts.change("count", partial(_count_last_block, passes))
        for threshold in (0.0, 0.9):
            passes.clear()
            model.begin_sampling(threshold)
            video = ours(model, sigma_schedule(12, 5.0), 1.0)
            found.append((video, passes.count("transformer"), passes.count("transformer_2")))
    (whole, *all_passes), (draft, *fewer), (_, *again), (low_draft, *low_fewer) = found
    assert sum(all_passes) == 12 and again == all_passes
    assert low_fewer == fewer and torch.allclose(low_draft, draft, atol=1e-4)
    assert 0 < fewer[0] <= all_passes[0] and 0 < fewer[1] < all_passes[1]
    assert not torch.equal(draft, whole)


def _count_last_block(passes: list[str], expert: Expert, module: nn.Module) -> None:
    module.get_submodule("blocks.1.ffn").register_forward_hook(lambda *_: passes.append(expert.name))
