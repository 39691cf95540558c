"""Wan2.2-I2V-A14B: a LoRA for each expert, trained at its noise levels, kept in one file and read by diffusers."""

import json
import shutil
import signal
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import WanImageToVideoPipeline
from safetensors import safe_open
from safetensors.torch import load_file

from lib.config.families import family_of
from lib.core.errors import InputError, InterruptionError
from lib.diffusion.conditioning import make_keep_mask
from lib.diffusion.encoding import encode_edit
from lib.diffusion.generation import EditedClip, Sampling, generate_video
from lib.execution.memory_modes import MemoryUse
from lib.inputs.checkpoints import read_lora_targets
from lib.inputs.disk import estimate_lora_bytes
from lib.inputs.lora_files import check_lora
from lib.models.base import VideoModel
from lib.models.load import load_model
from lib.training.held_out import HeldOut
from lib.training.loop import Objective
from lib.training.lora import ExtraLora, load_for_generation
from lib.training.lora_formats import main, read_lora, scaled_factors
from tests.conftest import TINY_WAN
from tests.lib.models.wan.held_against import ADAPTER, NEGATIVE, PROMPT, REGION, SOURCE, samples_of_stages, train
from tests.lib.models.wan.relatives import BOUNDARY, write_a14b

NAMES = ("transformer", "transformer_2")
STEPS = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model."""
    return write_a14b(tmp_path_factory.mktemp("a14b"))


def load(folder: Path, *components: str, training: bool = False) -> VideoModel:
    """Load components with our adapter."""
    use = MemoryUse(training=training)
    return load_model(folder, components, family="wan22", device=torch.device("cpu"), dtype=torch.float32, memory=use)


@pytest.fixture(scope="module")
def stages(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], tuple[int, int, int]]:
    """Encoded samples of both stages."""
    return samples_of_stages(load(folder, "vae", "encoders"), tmp_path_factory.mktemp("encoded"))


@pytest.fixture(scope="module")
def lora(
    folder: Path, stages: tuple[list[Any], tuple[int, int, int]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A LoRA of stage 1, trained one expert at a time."""
    samples, (num_source, _, _) = stages
    path = tmp_path_factory.mktemp("trained") / "lora.safetensors"
    return train(load(folder, "transformer", training=True), samples[:num_source], (num_source, 0, 0), path, STEPS)


def say(transformer: Any) -> torch.Tensor:
    """Ask a transformer for a fixed answer."""
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        answer: torch.Tensor = transformer(
            hidden_states=torch.randn(1, 36, 2, 8, 8, generator=draw),
            timestep=torch.tensor([500.0]),
            encoder_hidden_states=torch.randn(1, 6, 64, generator=draw),
            return_dict=False,
        )[0]
    return answer


def answers(model: VideoModel) -> dict[str, torch.Tensor]:
    """Ask each expert."""
    said = {}
    for expert in model.experts.all:
        model.experts.use(expert)
        said[expert.name] = say(model.transformer)
    return said


def test_each_expert_is_trained_at_its_own_noise_levels(
    folder: Path, stages: tuple[list[Any], tuple[int, int, int]], tmp_path: Path
) -> None:
    """Down to the boundary the one, below it the other, one at a time in memory, and the curve tells them apart."""
    samples, (num_source, _, _) = stages
    model, seen = load(folder, "transformer", training=True), []

    def watch(expert: Any, module: torch.nn.Module) -> None:
        module.register_forward_pre_hook(
            lambda _, __, given: seen.append((expert.name, float(given["timestep"]) / 1000)), with_kwargs=True
        )

    model.experts.change("watch", watch)
    objective, first = Objective(sigma_shift=3.0, region_weight=1.0), weakref.ref(model.experts.module)
    path = train(model, samples[:num_source], (num_source, 0, 0), tmp_path / "a.safetensors", 12, objective=objective)
    assert [name for name, _ in seen] == ["transformer"] * 12 + ["transformer_2"] * 12
    high, low = ([sigma for name, sigma in seen if name == each] for each in NAMES)
    assert min(high) >= BOUNDARY and max(high) <= 1 and min(low) >= 0 and max(low) < BOUNDARY
    assert max(high) - min(high) > 0.05 and max(low) - min(low) > 0.4
    assert len(model.experts._loaded) == 1 and first() is None
    rows = [json.loads(line) for line in path.with_suffix(".jsonl").read_text("utf-8").splitlines()]
    assert [row["step"] for row in rows] == list(range(1, 25))
    assert [row["expert"] for row in rows] == ["transformer"] * 12 + ["transformer_2"] * 12
    assert list(tmp_path.glob(".*")) == []


def test_the_file_has_a_part_for_each_expert(folder: Path, lora: Path) -> None:
    """As planned and as checked before a run; a model of one denoiser refuses it, in words."""
    weights = load_file(lora)
    assert {name.partition(".")[0] for name in weights} == set(NAMES)
    assert all(bool(weight.any()) for weight in weights.values()), "both halves of every pair were trained"
    pair = [weights[f"{name}.blocks.0.attn1.to_q.lora_B.weight"] for name in NAMES]
    assert not torch.allclose(*pair)
    targets = read_lora_targets(str(folder), family_of("wan22"))
    assert check_lora(lora, targets, ADAPTER.rank) == [] and check_lora(lora, None, ADAPTER.rank) == []
    assert estimate_lora_bytes(targets, ADAPTER.rank, ADAPTER.layers) == sum(each.nbytes for each in weights.values())
    (problem,) = check_lora(lora, read_lora_targets(str(TINY_WAN), family_of("wan")), ADAPTER.rank)
    assert "a part for transformer_2, which this model has not" in problem.found


def test_stage_2_goes_on_from_both_parts(
    folder: Path, stages: tuple[list[Any], tuple[int, int, int]], lora: Path, tmp_path: Path
) -> None:
    """Each expert continues its own part: after no step the file is the same, after some both parts differ."""
    samples, counts = stages
    for steps, same in ((0, True), (2, False)):
        model = load(folder, "transformer", training=True)
        path = train(model, samples, counts, tmp_path / f"{steps}.safetensors", steps, start_from=lora)
        before, after = load_file(lora), load_file(path)
        assert before.keys() == after.keys()
        for name in NAMES:
            keys = [key for key in before if key.startswith(f"{name}.")]
            assert all(torch.equal(before[key], after[key]) for key in keys) == same


def test_the_high_noise_expert_alone(
    folder: Path, stages: tuple[list[Any], tuple[int, int, int]], lora: Path, tmp_path: Path
) -> None:
    """Its part is what training both makes of it; the other expert then runs as it is, and is not gone on with."""
    samples, (num_source, _, _) = stages
    given = (samples[:num_source], (num_source, 0, 0))
    model = load(folder, "transformer", training=True)
    path = train(model, *given, tmp_path / "high.safetensors", STEPS, experts="high_noise")
    both, high = load_file(lora), load_file(path)
    assert high.keys() == {key for key in both if key.startswith("transformer.")}
    assert all(torch.equal(both[key], weight) for key, weight in high.items())
    assert check_lora(path, read_lora_targets(str(folder), family_of("wan22")), ADAPTER.rank) == []
    plain, adapted = load(folder, "vae", "transformer"), load(folder, "vae", "transformer")
    load_for_generation(adapted, path, 1.0)
    before, after = answers(plain), answers(adapted)
    assert not torch.allclose(before["transformer"], after["transformer"], atol=1e-4)
    assert torch.equal(before["transformer_2"], after["transformer_2"])
    (problem,) = check_lora(path, None, ADAPTER.rank, trained=NAMES)
    assert "a LoRA without a part for transformer_2" in problem.found and "high_noise" in problem.expected
    with pytest.raises(InputError, match="a LoRA without a part for transformer_2"):
        train(load(folder, "transformer", training=True), *given, tmp_path / "b.safetensors", 1, start_from=path)


@pytest.mark.parametrize("stop_after", [2, STEPS, STEPS + 2])
def test_a_training_that_was_stopped_ends_with_the_same_bytes(
    folder: Path, stages: tuple[list[Any], tuple[int, int, int]], lora: Path, tmp_path: Path, stop_after: int
) -> None:
    """Within the first expert, between the two, and within the second."""
    samples, (num_source, _, _) = stages
    given = (samples[:num_source], (num_source, 0, 0), tmp_path / "lora.safetensors", STEPS)
    model, passes = load(folder, "transformer", training=True), []

    def stop(*_: Any) -> None:
        passes.append(1)
        if len(passes) == stop_after:
            signal.raise_signal(signal.SIGTERM)

    model.experts.change("stop", lambda _, module: module.register_forward_hook(stop))
    with pytest.raises(InterruptionError):
        train(model, *given)
    assert len(passes) == stop_after and not (tmp_path / "lora.safetensors").exists()
    again, passes = load(folder, "transformer", training=True), []
    again.experts.change("count", lambda _, module: module.register_forward_hook(lambda *_: passes.append(1)))
    path = train(again, *given)
    assert len(passes) == 2 * STEPS - stop_after
    assert path.read_bytes() == lora.read_bytes()
    assert list(tmp_path.glob(".*")) == []


def test_the_plain_pipeline_reads_each_part(folder: Path, lora: Path, tmp_path: Path) -> None:
    """The high-noise part from the file itself, the other from what the export writes; both under ComfyUI's names."""
    model = load(folder, "vae", "transformer")
    load_for_generation(model, lora, 1.0)
    expected = answers(model)
    export = tmp_path / "low.safetensors"
    assert main([str(lora), str(export), "--to", "diffusers", "--family", "wan22", "--expert", "transformer_2"]) == 0
    pipeline = WanImageToVideoPipeline.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    plain = {name: say(getattr(pipeline, name)) for name in NAMES}
    pipeline.load_lora_weights(lora)
    pipeline.load_lora_weights(export, load_into_transformer_2=True)
    for name in NAMES:
        found = say(getattr(pipeline, name))
        torch.testing.assert_close(found, expected[name], atol=1e-5, rtol=1e-4)
        assert not torch.allclose(found, plain[name], atol=1e-4)
    for name in NAMES:
        comfy = tmp_path / f"{name}.comfyui.safetensors"
        assert main([str(lora), str(comfy), "--family", "wan22", "--expert", name]) == 0
        with safe_open(comfy, framework="pt") as opened:
            assert all(key.startswith("diffusion_model.blocks.") for key in opened.keys())  # noqa: SIM118
        back = read_lora(comfy, "wan22").factors
        assert torch.equal(back["blocks.0.ffn.net.2"][0], load_file(lora)[f"{name}.blocks.0.ffn.net.2.lora_A.weight"])


def test_another_lora_is_for_whom_it_is_said(folder: Path, lora: Path) -> None:
    """For both experts, or either: the other is what it was."""
    factors = scaled_factors(read_lora(lora, "wan22"))
    plain = answers(load(folder, "transformer"))
    for chosen, changed in (("all", set(NAMES)), ("high_noise", {NAMES[0]}), ("low_noise", {NAMES[1]})):
        model = load(folder, "transformer")
        load_for_generation(model, None, 1.0, [ExtraLora(factors, 1.0, chosen)])
        found = answers(model)
        assert {name for name in NAMES if not torch.equal(found[name], plain[name])} == changed


def test_held_out_samples_are_measured_at_the_experts_levels(
    folder: Path, stages: tuple[list[Any], tuple[int, int, int]]
) -> None:
    """At a quarter, half and three quarters of its own range."""
    model, seen = load(folder, "transformer"), []
    for expert in model.experts.all:
        model.experts.use(expert)
        handle = model.transformer.register_forward_pre_hook(
            lambda _, __, given: seen.append(float(given["timestep"]) / 1000), with_kwargs=True
        )
        assert HeldOut(stages[0][:1], 0).measure(model) > 0
        handle.remove()
    assert seen == pytest.approx([0.925, 0.95, 0.975, 0.225, 0.45, 0.675])


def test_a_spatial_mask_is_heeded(folder: Path, lora: Path, tmp_path: Path) -> None:
    """The mask tells the region alone, and locked latents keep the rest as the source's while both experts run.

    The weights are random and heed no mask by themselves; the VAE is the demo's, which was trained.
    """
    shutil.copytree(folder, folder := tmp_path / "model")
    shutil.rmtree(folder / "vae")
    shutil.copytree(TINY_WAN / "vae", folder / "vae")
    model = load(folder, "vae", "encoders", "transformer")
    shown = {
        kind: encode_edit(model, SOURCE, SOURCE[0], {}, REGION, PROMPT, NEGATIVE, kind)
        for kind in ("edit", "first_frame")
    }
    cells = {kind: model.regenerated_cells(each["generation"]) for kind, each in shown.items()}
    assert torch.equal(cells["edit"][0, 0, 1, 0], torch.tensor([0.0] * 4 + [1.0] * 4 + [0.0] * 4))
    assert cells["first_frame"][:, :, 1:].min() == 1 and cells["first_frame"][:, :, 0].max() == 0
    load_for_generation(model, lora, 1.0)
    clip = EditedClip(SOURCE, SOURCE[0], REGION, "edit")
    keep = make_keep_mask("edit", REGION, 4)[0, 0].numpy() == 1
    errors = []
    for locks in (True, False):
        sampling = Sampling(6, 2.0, 5.0, seed=3, lock_latents=locks, composite=False, feather=2.0)
        made = generate_video(model, shown["edit"], clip, [(0, len(SOURCE))], sampling)
        difference = abs(made.astype(float) - SOURCE)[1:]
        errors.append((difference[keep[1:]].mean(), difference[~keep[1:]].mean()))
    (kept, regenerated), (kept_unlocked, _) = errors
    assert kept < 0.5 * kept_unlocked and kept < 0.5 * regenerated
