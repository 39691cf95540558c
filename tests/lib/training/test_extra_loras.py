"""LoRAs beside the clip's own: all count, each with its strength, as diffusers' own pipeline adds them up."""

from pathlib import Path

import pytest
import torch
from diffusers import WanTransformer3DModel
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file, save_file

from lib.core.errors import InputError
from lib.inputs.lora_files import check_extra_lora
from lib.models.load import load_model
from lib.models.wan.family import ORIGINAL_LAYERS
from lib.training.lora import ExtraLora, attach_lora, load_for_generation, save_lora
from lib.training.lora_formats import Lora, read_lora, scaled_factors, write_lora
from tests.conftest import TINY_WAN


def _model():  # type: ignore[no-untyped-def]
    return load_model(TINY_WAN, {"transformer"}, device=torch.device("cpu"), dtype=torch.float32)


@torch.no_grad()
def _say(transformer: WanTransformer3DModel) -> torch.Tensor:
    torch.manual_seed(3)
    config = transformer.config
    return transformer(
        hidden_states=torch.randn(1, config.in_channels, 2, 8, 8),
        timestep=torch.tensor([500.0]),
        encoder_hidden_states=torch.randn(1, 12, config.text_dim),
        encoder_hidden_states_image=torch.randn(1, 5, config.image_dim),
    ).sample


@torch.no_grad()
def _write(path: Path, layers: list[str], rank: int, alpha: float, seed: int) -> None:
    transformer = _model().transformer
    generator = torch.Generator().manual_seed(seed)
    for parameter in attach_lora(transformer, layers, rank, alpha, seed):
        parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    save_lora(transformer, path)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """The clip's LoRA, and another's of other layers and rank, under ComfyUI's names."""
    own, theirs, renamed = (tmp_path / f"{name}.safetensors" for name in ("own", "theirs", "renamed"))
    _write(own, ["to_q", "to_out.0", "ffn.net.2"], rank=4, alpha=8.0, seed=5)
    _write(theirs, ["attn1.to_q", "attn1.to_v", "ffn.net.0.proj"], rank=6, alpha=3.0, seed=7)
    write_lora(read_lora(theirs, "wan"), renamed, "comfyui", "wan")
    return own, renamed


def _extra(path: Path) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    return scaled_factors(read_lora(path, "wan"))


@pytest.mark.parametrize("strength", [0.7, -0.5])
def test_they_add_up_as_diffusers_adds_them(files: tuple[Path, Path], strength: float) -> None:
    """Two adapters of the transformer, with the strengths asked for."""
    own, theirs = files
    model = _model()
    load_for_generation(model, own, 0.8, [ExtraLora(_extra(theirs), strength)])
    plain = _model().transformer
    plain.load_lora_adapter(load_file(own), prefix="transformer", adapter_name="own", metadata=None)
    back = theirs.with_name("back.safetensors")
    write_lora(read_lora(theirs, "wan"), back, "diffusers", "wan")
    plain.load_lora_adapter(load_file(back), prefix="transformer", adapter_name="theirs")
    plain.set_adapters(["own", "theirs"], [0.8 * 2, strength])  # alpha 8 of rank 4, which the tensors do not tell
    torch.testing.assert_close(_say(model.transformer), _say(plain), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(_say(model.transformer), _say(_model().transformer), atol=1e-3)


def test_each_counts_alone(files: tuple[Path, Path]) -> None:
    """Without strength it is as if it were not there; without a LoRA of the clip it is the only one."""
    own, theirs = files
    alone, none, extra_alone = _model(), _model(), _model()
    load_for_generation(alone, own, 1.0)
    load_for_generation(none, own, 1.0, [ExtraLora(_extra(theirs), 0.0)])
    torch.testing.assert_close(_say(none.transformer), _say(alone.transformer), atol=1e-6, rtol=1e-5)
    load_for_generation(extra_alone, None, 1.0, [ExtraLora(_extra(theirs), 1.0)])
    merged = _model().transformer
    with torch.no_grad():
        for layer, (down, up) in _extra(theirs).items():
            merged.get_submodule(layer).weight += up @ down
    torch.testing.assert_close(_say(extra_alone.transformer), _say(merged), atol=1e-5, rtol=1e-4)


def test_all_are_merged_where_the_clips_is(files: tuple[Path, Path]) -> None:
    """A big model whose whole weights stay on a GPU says the same without their thin products."""
    own, theirs = files
    apart, merged = _model(), _model()
    merged.execution = {**merged.execution, "compiled": True}
    for model in (apart, merged):
        load_for_generation(model, own, 0.8, [ExtraLora(_extra(theirs), 0.5)])
    layers = [layer for layer in merged.transformer.modules() if isinstance(layer, LoraLayer)]
    assert layers and all(layer.merged for layer in layers)
    torch.testing.assert_close(_say(merged.transformer), _say(apart.transformer), atol=1e-5, rtol=1e-4)


def test_one_of_another_model_is_told(files: tuple[Path, Path], tmp_path: Path) -> None:
    """At the check, by its header, and again when it is loaded."""
    factors = {"blocks.0.attn1.to_q": (torch.ones(2, 5), torch.ones(5, 2))}
    write_lora(Lora(factors, {"blocks.0.attn1.to_q": 2.0}), tmp_path / "small.safetensors", "comfyui", "wan")
    with pytest.raises(InputError, match="5 features"):
        load_for_generation(_model(), None, 1.0, [ExtraLora(factors, 1.0)])
    assert check_extra_lora(files[1], ORIGINAL_LAYERS, None) == []
    save_file({"something.weight": torch.ones(1)}, tmp_path / "none.safetensors")
    (problem,) = check_extra_lora(tmp_path / "none.safetensors", ORIGINAL_LAYERS, None)
    assert "something.weight" in str(problem)
    (problem,) = check_extra_lora(tmp_path / "missing.safetensors", ORIGINAL_LAYERS, None)
    assert "no file" in str(problem)
