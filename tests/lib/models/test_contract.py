"""What every family of models promises: its adapter fits the loops, and its facts for planning fit its adapter.

A family is tested once it is in the list: tests/lib/models/<family>/checkpoint.py gives it a small model folder. One
family, the toy, lives in tests alone; it is in the list while a test runs, and lib knows nothing else of it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import torch

from lib.config.families import FAMILIES, Family, LoraLayers, family_of
from lib.execution.memory_modes import MemoryMode, MemoryUse
from lib.inputs.checkpoints import check_models, read_lora_targets
from lib.models.base import Conditioning, VideoModel
from lib.models.load import COMPONENTS, load_model
from lib.training.lora import attach_lora
from tests.conftest import ROOT

TOY = "tests.lib.models.toy"
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Entry:
    """A family under its name, and a model folder of it."""

    name: str
    facts: Family
    folder: Path

    def load(self, components: frozenset[str] | set[str], mode: MemoryMode = "fast") -> VideoModel:
        """Load components of its model."""
        use = MemoryUse(mode)
        return load_model(self.folder, components, family=self.name, device=CPU, dtype=torch.float32, memory=use)


@pytest.fixture(params=sorted({*FAMILIES, "toy"}))
def entry(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Entry]:
    """Each family in turn."""
    monkeypatch.setitem(FAMILIES, "toy", TOY)
    name = str(request.param)
    tests = import_module(f"tests.lib.models.{name}.checkpoint")
    yield Entry(name, family_of(name), tests.checkpoint(tmp_path))


def encoded(model: VideoModel) -> tuple[torch.Tensor, torch.Tensor, Conditioning]:
    """Return a video of three latent frames, its upper half to be regenerated, with its latents and conditioning."""
    frames, size = 1 + 2 * model.frame_stride, 4 * model.size_multiple
    video = torch.rand(1, 3, frames, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    keep_mask = torch.ones(1, 1, frames, size, size)
    keep_mask[:, :, 1:, : size // 2] = 0
    conditioning = model.encode_conditioning("a cat", video * keep_mask, keep_mask, video[:, :, :1])
    return video, model.encode_video(video), conditioning


def test_adapter_keeps_the_contract(entry: Entry) -> None:
    """Every adapter has the members of VideoModel, and they fit together: shapes, types, what is loaded."""
    model = entry.load(COMPONENTS)
    for member in [*get_type_hints(VideoModel), *(name for name in vars(VideoModel) if not name.startswith("_"))]:
        assert hasattr(model, member), member
    video, latents, conditioning = encoded(model)
    assert latents.dtype == torch.float32 and latents.shape[2] == 3
    assert torch.equal(latents, model.encode_video(video)), "encoding must not draw random numbers"
    assert model.decode_latents(latents).shape == video.shape
    assert all(isinstance(value, torch.Tensor) for value in conditioning.values())
    assert set(model.encode_prompt("a dog")) < set(conditioning)
    velocity = model.predict_velocity(latents, torch.tensor([0.5]), conditioning)
    assert velocity.shape == latents.shape and velocity.dtype == torch.float32
    assert not any(parameter.requires_grad for parameter in model.transformer.parameters())


def test_conditionings_are_cut_and_joined(entry: Entry) -> None:
    """The cells to regenerate are told per latent frame; frames may be selected, and samples made a batch."""
    model = entry.load(COMPONENTS)
    _, latents, conditioning = encoded(model)
    cells = model.regenerated_cells(conditioning)
    assert cells.shape == (1, 1, *latents.shape[2:])
    assert cells[:, :, 0].sum() == 0 and cells[:, :, 1:].mean() == 0.5
    part = model.select_frames(conditioning, [0, 2])
    assert torch.equal(model.regenerated_cells(part), cells[:, :, [0, 2]])
    sigma, chosen = torch.tensor([0.25, 0.75]), latents[:, :, [0, 2]]
    both = model.predict_velocity(torch.cat([chosen, chosen]), sigma, model.join([part, part]))
    alone = [model.predict_velocity(chosen, sigma[index : index + 1], part) for index in (0, 1)]
    assert torch.allclose(both, torch.cat(alone), atol=1e-4)


@pytest.mark.parametrize("mode", ["balanced", "low"])
def test_memory_modes_change_nothing(entry: Entry, mode: MemoryMode) -> None:
    """Where blocks are run by `lib.execution.block_runs`, the numbers are those of mode fast."""
    model = entry.load(COMPONENTS)
    _, latents, conditioning = encoded(model)
    with torch.no_grad():
        expected = model.predict_velocity(latents, torch.tensor([0.5]), conditioning)
        found = entry.load({"transformer"}, mode).predict_velocity(latents, torch.tensor([0.5]), conditioning)
    assert torch.allclose(found, expected, atol=1e-5)


def test_adapter_loads_only_what_was_asked(entry: Entry) -> None:
    """A component that a stage did not ask for is not in memory, and using it fails loudly."""
    model = entry.load({"transformer"})
    with pytest.raises(AssertionError, match="vae was not loaded"):
        model.encode_video(torch.zeros(1, 3, 1, 32, 32))


def test_facts_for_planning_are_the_adapters(entry: Entry) -> None:
    """Sizes are refused, and memory is planned, by what the model really does."""
    model, facts = entry.load({"vae"}), entry.facts
    assert (facts.frame_stride, facts.size_multiple) == (model.frame_stride, model.size_multiple)
    for latent_frames, rows, columns in ((1, 1, 1), (3, 2, 3)):
        frames = 1 + (latent_frames - 1) * facts.frame_stride
        height, width = rows * facts.size_multiple, columns * facts.size_multiple
        shape = tuple(model.encode_video(torch.zeros(1, 3, frames, height, width)).shape)
        assert facts.latents_shape(frames, height, width) == model.latents_shape(frames, height, width) == shape


def test_planning_knows_the_layers_that_a_lora_gets(entry: Entry) -> None:
    """From config.json alone: which layers each kind names, and how large they are, as peft finds them."""
    targets = read_lora_targets(str(entry.folder), entry.facts)
    assert targets is not None and set(targets.layers) == set(get_args(LoraLayers))
    for kind, layers in targets.layers.items():
        transformer = entry.load({"transformer"}).transformer
        linear = {name: module for name, module in transformer.named_modules() if isinstance(module, torch.nn.Linear)}
        assert layers and layers == {name: (linear[name].in_features, linear[name].out_features) for name in layers}
        attach_lora(transformer, entry.load({"transformer"}).lora_target_modules([kind]), rank=2, alpha=2, seed=0)
        adapted = {name.partition(".lora_A")[0] for name, _ in transformer.named_parameters() if ".lora_A" in name}
        assert adapted == set(layers), kind


def test_a_folder_is_recognised_and_told_from_others(entry: Entry) -> None:
    """By its model_index.json; the message names the family that would be right."""
    others = {"captioner": str(ROOT / "demo/models/florence-2-tiny"), "clip_model": str(ROOT / "demo/models/clip-tiny")}
    for name in FAMILIES:
        problems = check_models((str(entry.folder), name), detectors={}, download=False, **others)
        if name == entry.name:
            assert problems == []
        else:
            assert len(problems) == 1 and f"or model.family: {entry.name}" in problems[0].expected


def test_nothing_else_knows_the_family(entry: Entry) -> None:
    """No module or rule outside its folder names its classes, its layers, or what its conditioning holds."""
    model = entry.load(COMPONENTS)
    layers = model.lora_target_modules(get_args(LoraLayers))
    classes = {type(model.transformer).__name__, entry.facts.pipeline}
    words = {*encoded(model)[2], *layers, *classes, *entry.facts.foreign}
    named = re.compile("|".join(rf"\b{re.escape(word)}\b" for word in sorted(words)))
    # Relatives share a folder: what is Wan2.2's own lies in Wan's.
    own = ROOT.joinpath(*FAMILIES[entry.name].split(".")[:3])
    files = [*(ROOT / "lib").rglob("*.py"), *(ROOT / "workflow").rglob("*.smk"), *(ROOT / "workflow").rglob("*.py")]
    others = [path for path in files if own not in path.parents]
    leaks = [f"{path}: {match[0]}" for path in others for match in named.finditer(path.read_text(encoding="utf-8"))]
    assert len(others) > 100 and not leaks, leaks
