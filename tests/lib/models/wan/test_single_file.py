"""A denoiser's weights from a single file are those of the folder, to the bit and of the same types."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from lib.config.families import family_of
from lib.core.errors import InputError
from lib.inputs.weight_files import check_transformer_files
from lib.models.load import load_model
from lib.models.wan.single_file import load_from_file
from tests.conftest import ROOT
from tests.lib.models.wan.single_files import save_fp8_scaled, save_original, weights_of

MODEL = ROOT / "demo/models/wan2.1-i2v-tiny"
CONFIG = json.loads((MODEL / "transformer" / "config.json").read_text())
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    """Those of the demo's model."""
    return weights_of(MODEL / "transformer")


def _same(first: Any, second: Any) -> bool:
    one, other = first.state_dict(), second.state_dict()
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and torch.equal(one[name], other[name]) for name in one
    )


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model.", "diffusion_model."])
def test_a_file_in_original_names_is_the_folder(weights: dict[str, torch.Tensor], tmp_path: Path, prefix: str) -> None:
    """Loaded through the only way to a model, with and without ComfyUI's prefix."""
    save_original(weights, tmp_path / "wan.safetensors", prefix)
    whole = load_model(MODEL, {"transformer"}, device=CPU, dtype=torch.float32)
    files = [tmp_path / "wan.safetensors"]
    assert not check_transformer_files([str(files[0])], str(MODEL), family_of("wan"))
    alone = load_model(MODEL, {"transformer"}, device=CPU, dtype=torch.float32, files=files)
    assert _same(whole.transformer, alone.transformer)


def test_a_file_in_diffusers_names_and_bfloat16(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    """What diffusers keeps in float32 is so here too."""
    path = tmp_path / "wan.safetensors"
    save_file(weights, path)
    assert not check_transformer_files([str(path)], str(MODEL), family_of("wan"))
    whole = load_model(MODEL, {"transformer"}, device=CPU, dtype=torch.bfloat16)
    alone = load_model(MODEL, {"transformer"}, device=CPU, dtype=torch.bfloat16, files=[path])
    assert _same(whole.transformer, alone.transformer)
    assert {tensor.dtype for tensor in alone.transformer.state_dict().values()} == {torch.float32, torch.bfloat16}


@pytest.mark.parametrize("end", [".scale_weight", ".weight_scale"])
def test_weights_in_8_bits_are_multiplied_out(weights: dict[str, torch.Tensor], tmp_path: Path, end: str) -> None:
    """Each by its scale, in either form that ComfyUI has had."""
    worth = save_fp8_scaled(weights, tmp_path / "fp8.safetensors", end)
    assert not check_transformer_files([str(tmp_path / "fp8.safetensors")], str(MODEL), family_of("wan"))
    loaded = load_from_file(tmp_path / "fp8.safetensors", CONFIG, torch.float32, CPU).state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in worth.items())
    name = "blocks.0.ffn.net.2.weight"
    assert 0 < (loaded[name] - weights[name]).abs().max() < 0.1 * weights[name].abs().max()


def test_another_models_file_is_refused_before_any_job(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    """A text-to-video model's, a smaller one's, one that was cut off, too many; each with what would be right."""
    family, text_to_video, last = family_of("wan"), dict(weights), f"blocks.{CONFIG['num_layers'] - 1}."
    text_to_video["patch_embedding.weight"] = weights["patch_embedding.weight"][:, :16].contiguous()
    save_original(text_to_video, tmp_path / "t2v.safetensors")
    smaller = {name: tensor for name, tensor in weights.items() if not name.startswith(last)}
    save_original(smaller, tmp_path / "small.safetensors")
    save_original(weights, tmp_path / "whole.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "whole.safetensors").read_bytes()[:-100])

    def told(*names: str) -> str:
        problems = check_transformer_files([str(tmp_path / name) for name in names], str(MODEL), family)
        return "\n".join(map(str, problems))

    width = len(weights["patch_embedding.weight"])
    assert f"({width}, 16, 1, 2, 2) numbers in patch_embedding.weight" in told("t2v.safetensors")
    assert f"no {last}" in told("small.safetensors")
    assert "as its header says" in told("cut.safetensors") or "bytes" in told("cut.safetensors")
    assert "no file" in told("none.safetensors")
    assert "2 file(s), for a model of 1 denoiser(s)" in told("whole.safetensors", "whole.safetensors")
    assert told("whole.safetensors") == "" and check_transformer_files([], str(MODEL), family) == []


def test_a_file_that_does_not_fit_is_no_model(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    """Also where a job comes to it: a weight more or less is told, and nothing loads in part."""
    more = {**weights, "blocks.0.something.weight": torch.ones(2)}
    save_original(more, tmp_path / "more.safetensors")
    with pytest.raises(InputError, match="1 weights that are missing"):
        load_from_file(tmp_path / "more.safetensors", CONFIG, torch.float32, CPU)
