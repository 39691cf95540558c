"""The LoRA file: exact round trip, readable by diffusers' own pipeline, refused by another model."""

from pathlib import Path

import pytest
import torch
from diffusers import WanImageToVideoPipeline, WanTransformer3DModel
from peft.tuners.lora import LoraLayer

from lib.core.errors import InputError
from lib.models.load import load_model
from lib.training.lora import attach_lora, load_for_generation, load_lora, merge_lora, save_lora
from tests.conftest import TINY_WAN

LAYERS = ("self_attention", "cross_attention", "feed_forward")


def _inputs(transformer: WanTransformer3DModel) -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    config = transformer.config
    return {
        "hidden_states": torch.randn(1, config.in_channels, 2, 8, 8),
        "timestep": torch.tensor([500.0]),
        "encoder_hidden_states": torch.randn(1, 12, config.text_dim),
        "encoder_hidden_states_image": torch.randn(1, 5, config.image_dim),
    }


def _transformer() -> WanTransformer3DModel:
    model = load_model(TINY_WAN, {"transformer"}, device=torch.device("cpu"), dtype=torch.float32)
    return model.transformer


@torch.no_grad()
def _trained_lora(transformer: WanTransformer3DModel, path: Path, alpha: float = 8.0) -> torch.Tensor:
    """Attach a LoRA that changes something, save it, and return what the model then says."""
    parameters = attach_lora(transformer, ["to_q", "to_out.0", "ffn.net.2"], rank=4, alpha=alpha, seed=5)
    generator = torch.Generator().manual_seed(6)
    for parameter in parameters:
        parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    save_lora(transformer, path)
    return transformer(**_inputs(transformer)).sample


def test_fresh_adapter_changes_nothing_and_only_it_is_trained() -> None:
    """A new LoRA leaves the model as it was, in float32, and freezes all else."""
    transformer = _transformer()
    with torch.no_grad():
        before = transformer(**_inputs(transformer)).sample
        parameters = attach_lora(transformer, ["to_q", "to_k"], rank=4, alpha=4, seed=0)
        assert torch.equal(transformer(**_inputs(transformer)).sample, before)
    trainable = {name for name, parameter in transformer.named_parameters() if parameter.requires_grad}
    assert len(trainable) == len(parameters) and all("lora_" in name for name in trainable)
    assert all(parameter.dtype == torch.float32 for parameter in parameters)


def test_image_keys_and_values_are_not_adapted() -> None:
    """The default target layers leave the image context's projections alone (design: the method)."""
    model = load_model(TINY_WAN, {"transformer"}, device=torch.device("cpu"), dtype=torch.float32)
    attach_lora(
        model.transformer,
        model.lora_target_modules(LAYERS),
        rank=2,
        alpha=2,
        seed=0,
    )
    adapted = {name.split(".lora_")[0] for name, _ in model.transformer.named_parameters() if "lora_" in name}
    assert not [name for name in adapted if "add_" in name]
    block = {name.removeprefix("blocks.0.") for name in adapted if name.startswith("blocks.0.")}
    attention = {f"attn{n}.{layer}" for n in (1, 2) for layer in ("to_q", "to_k", "to_v", "to_out.0")}
    assert block == attention | {"ffn.net.0.proj", "ffn.net.2"}


def test_saved_lora_loads_exactly(tmp_path: Path) -> None:
    """Weights and alpha survive the file: the reloaded model says the same, bit for bit."""
    path = tmp_path / "lora.safetensors"
    expected = _trained_lora(_transformer(), path)
    other = _transformer()
    parameters = load_lora(other, path, trainable=["attn1.to_q", "ffn.net.2"])
    trained = [name for name, parameter in other.named_parameters() if parameter.requires_grad]
    assert len(trained) == len(parameters) and parameters[0].requires_grad
    assert all(".attn1.to_q.lora_" in name or ".ffn.net.2.lora_" in name for name in trained)
    with pytest.raises(InputError, match="without any layer that is to be trained"):
        load_lora(_transformer(), path, trainable=["attn1.norm_q"])
    with torch.no_grad():
        assert torch.equal(other(**_inputs(other)).sample, expected)


def test_diffusers_pipeline_loads_our_file(tmp_path: Path) -> None:
    """WanImageToVideoPipeline.load_lora_weights reads it, alpha included."""
    path = tmp_path / "lora.safetensors"
    expected = _trained_lora(_transformer(), path, alpha=2.0)
    pipeline = WanImageToVideoPipeline.from_pretrained(TINY_WAN, dtype=torch.float32, local_files_only=True)
    pipeline.load_lora_weights(tmp_path, weight_name=path.name)
    with torch.no_grad():
        said = pipeline.transformer(**_inputs(pipeline.transformer)).sample
    assert torch.allclose(said, expected, atol=1e-6)


def test_lora_of_another_model_is_refused(tmp_path: Path) -> None:
    """A LoRA whose layers have other sizes is an input error that names the layer."""
    path = tmp_path / "lora.safetensors"
    _trained_lora(_transformer(), path)
    config = dict(_transformer().config) | {"num_attention_heads": 2}
    other = WanTransformer3DModel.from_config(config)
    with pytest.raises(InputError, match="features for blocks"):
        load_lora(other, path)


@torch.no_grad()
def test_a_merged_lora_is_as_near_the_truth_as_one_apart(tmp_path: Path) -> None:
    """In bfloat16, against float32: rounding the merged weights once more costs less than bfloat16 itself."""
    path = tmp_path / "lora.safetensors"
    transformer = _transformer()
    untouched = transformer(**_inputs(transformer)).sample
    truth = _trained_lora(transformer, path)
    errors = []
    for is_merged in (False, True):
        low = load_model(TINY_WAN, {"transformer"}, device=torch.device("cpu"), dtype=torch.bfloat16).transformer
        load_lora(low, path)
        if is_merged:
            merge_lora(low)
        inputs = {name: tensor.to(torch.bfloat16) for name, tensor in _inputs(low).items()}
        errors.append(float((low(**inputs).sample.float() - truth).norm() / (truth - untouched).norm()))
    apart, merged = errors
    assert 0 < merged != apart
    assert merged < 1.5 * apart, errors
    load_lora(exact := _transformer(), path)
    merge_lora(exact)
    torch.testing.assert_close(exact(**_inputs(exact)).sample, truth)


@torch.no_grad()
def test_a_lora_of_strength_zero_merges_to_nothing(tmp_path: Path) -> None:
    """The scale is merged too."""
    _trained_lora(_transformer(), tmp_path / "lora.safetensors")
    plain = _transformer()
    transformer = _transformer()
    load_lora(transformer, tmp_path / "lora.safetensors", scale=0.0)
    merge_lora(transformer)
    assert torch.equal(transformer(**_inputs(transformer)).sample, plain(**_inputs(plain)).sample)


@pytest.mark.parametrize(
    ("changes", "is_merged"),
    [
        ({}, False),
        ({"compiled": True}, True),
        ({"compiled": True, "stream_weights": True}, False),
        ({"compiled": True, "weights": "fp8"}, False),
        ({"compiled": True, "weights": "fp8_products"}, False),
    ],
)
def test_only_whole_weights_that_stay_are_merged(changes: dict[str, object], is_merged: bool, tmp_path: Path) -> None:
    """Merging is for a big model on a GPU; never into weights in 8 bits or in host memory. It says the same."""
    path = tmp_path / "lora.safetensors"
    expected = _trained_lora(_transformer(), path)
    model = load_model(TINY_WAN, {"transformer"}, device=torch.device("cpu"), dtype=torch.float32)
    model.execution = {**model.execution, **changes}
    load_for_generation(model, path, 1.0)
    layers = [layer for layer in model.transformer.modules() if isinstance(layer, LoraLayer)]
    assert layers and all(layer.merged == is_merged for layer in layers)
    with torch.no_grad():
        torch.testing.assert_close(model.transformer(**_inputs(model.transformer)).sample, expected)
