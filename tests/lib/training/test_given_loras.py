"""LoRAs of other programs are taken where ours are: trained on from and generated with, to the same bits."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import WanImageToVideoPipeline, WanTransformer3DModel
from safetensors.torch import load_file, save_file

from lib.config.families import family_of
from lib.config.training_sections import LoraFormat
from lib.core.errors import InputError
from lib.inputs.lora_files import check_lora, check_reused_loras
from lib.inputs.shared_lora import check_shared_loras, check_trained_on
from lib.models.base import VideoModel
from lib.models.load import load_model
from lib.models.wan.family import ORIGINAL_LAYERS
from lib.training.fine_tuning import train_lora
from lib.training.lora import attach_lora, load_for_generation, load_lora, save_lora
from lib.training.lora_formats import read_adapter, read_lora, write_lora
from tests.conftest import TINY_WAN
from tests.lib.training.example_training import ADAPTER, OBJECTIVE, OPTIMIZER, files_of, sample_of
from tests.lib.training.test_extra_loras import _say

CONFIG = json.loads((TINY_WAN / "transformer" / "config.json").read_text())
TARGETS = family_of("wan").lora_targets(CONFIG)
WIDTH = CONFIG["num_attention_heads"] * CONFIG["attention_head_dim"]
RANK = 4
Weights = dict[str, torch.Tensor]


def _model() -> VideoModel:
    return load_model(TINY_WAN, {"transformer"}, device=torch.device("cpu"), dtype=torch.float32)


@torch.no_grad()
def _write_ours(path: Path, alpha: float) -> Path:
    model, generator = _model(), torch.Generator().manual_seed(5)
    layers = model.lora_target_modules(["self_attention", "cross_attention", "feed_forward"])
    for parameter in attach_lora(model.transformer, layers, RANK, alpha, 5):
        parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    save_lora(model.transformer, path)
    return path


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA of ours over all layers that training adapts, alpha its rank; not to be changed."""
    return _write_ours(tmp_path_factory.mktemp("lora") / "ours.safetensors", float(RANK))


def _rename(ours: Path, name: Callable[[str, str], str], alpha: float | None = None) -> Weights:
    """Return our tensors under another program's names, as `name` makes them of block and layer."""
    renamed = {}
    for key, tensor in load_file(ours).items():
        layer, side = key.removeprefix("transformer.blocks.").split(".lora_")
        block, own = layer.split(".", 1)
        renamed[f"{name(block, ORIGINAL_LAYERS[own])}.lora_{side}"] = tensor
    if alpha is not None:
        renamed |= {key.split(".lora_")[0] + ".alpha": torch.tensor(alpha) for key in list(renamed)}
    return renamed


def _as_comfyui(ours: Path) -> Weights:
    return _rename(ours, "diffusion_model.blocks.{}.{}".format)


def _as_kohya(ours: Path, alpha: float = RANK) -> Weights:
    words = {"lora_A": "lora_down", "lora_B": "lora_up"}
    found = _rename(ours, lambda block, layer: f"lora_unet_blocks_{block}_{layer.replace('.', '_')}", alpha)
    return {
        key.replace(old, new): value for key, value in found.items() for old, new in words.items() if old in key
    } | {key: value for key, value in found.items() if key.endswith(".alpha")}


def _write(path: Path, weights: Weights) -> Path:
    save_file(weights, path)
    return path


def _train_on(start: Path, folder: Path) -> Path:
    folder.mkdir()
    model = _model()
    files = files_of(folder / "lora.safetensors", folder / "curve.jsonl", start)
    train_lora(
        model, [sample_of(model, 3)], [(0,)] * 2, ADAPTER, OPTIMIZER, OBJECTIVE, **files, originals=ORIGINAL_LAYERS
    )
    return folder / "lora.safetensors"


def _generate_with(path: Path) -> torch.Tensor:
    model = _model()
    load_for_generation(model, path, 0.8, originals=ORIGINAL_LAYERS)
    return _say(model.transformer)


@pytest.mark.parametrize("rename", [_as_comfyui, _as_kohya])
def test_another_programs_names_change_no_bit(ours: Path, rename: Callable[[Path], Weights], tmp_path: Path) -> None:
    """A training that goes on from it ends with the same file; what is generated with it is the same."""
    theirs = _write(tmp_path / "theirs.safetensors", rename(ours))
    assert check_lora(theirs, TARGETS, RANK, originals=ORIGINAL_LAYERS) == []
    assert check_trained_on({"edit": theirs}, {"model.name/transformer": "0123"}) == [], (
        "it does not say of which model"
    )
    assert _train_on(theirs, tmp_path / "theirs").read_bytes() == _train_on(ours, tmp_path / "ours").read_bytes()
    generated = _generate_with(theirs)
    assert torch.equal(generated, _generate_with(ours))
    assert not torch.allclose(generated, _say(_model().transformer), atol=1e-3)


def test_alpha_is_kept_for_what_is_trained_on(tmp_path: Path) -> None:
    """A file whose layers share one trains on with it, as ours do; of several each goes into its layer's factor."""
    ours = _write_ours(tmp_path / "ours.safetensors", 8.0)
    theirs = _write(tmp_path / "theirs.safetensors", _as_kohya(ours, 8.0))
    assert _train_on(theirs, tmp_path / "theirs").read_bytes() == _train_on(ours, tmp_path / "ours").read_bytes()
    mixed = _as_kohya(ours, 8.0)
    layer = "lora_unet_blocks_2_ffn_0"
    mixed |= {f"{layer}.alpha": torch.tensor(2.0), f"{layer}.lora_up.weight": 4 * mixed[f"{layer}.lora_up.weight"]}
    _write(tmp_path / "mixed.safetensors", mixed)
    torch.testing.assert_close(_generate_with(tmp_path / "mixed.safetensors"), _generate_with(ours))


@pytest.mark.parametrize("kind", ["diffusers", "comfyui"])
@pytest.mark.parametrize("alpha", [4.0, 10.0])
def test_the_pipelines_own_loader_makes_the_same_of_each_format(kind: LoraFormat, alpha: float, tmp_path: Path) -> None:
    """What diffusers computes with the written file is what we do with ours, and so it is when the file comes back."""
    ours, written = _write_ours(tmp_path / "ours.safetensors", alpha), tmp_path / "written.safetensors"
    write_lora(read_lora(ours, "wan"), written, kind, "wan")
    transformer = _model().transformer
    assert isinstance(transformer, WanTransformer3DModel)
    nothing = dict.fromkeys(("tokenizer", "text_encoder", "image_encoder", "image_processor", "vae", "scheduler"))
    WanImageToVideoPipeline(**nothing, transformer=transformer).load_lora_weights(written)
    model = _model()
    load_lora(model.transformer, ours)
    torch.testing.assert_close(_say(transformer), _say(model.transformer), atol=1e-5, rtol=1e-4)
    back = _model()
    load_lora(back.transformer, written, originals=ORIGINAL_LAYERS)
    torch.testing.assert_close(_say(back.transformer), _say(model.transformer), atol=1e-5, rtol=1e-4)


def _only_problem(path: Path, rank: int | None = RANK, **given: object) -> str:
    (problem,) = check_lora(path, TARGETS, rank, originals=ORIGINAL_LAYERS, **given)  # type: ignore[arg-type]
    assert problem.place == str(path)
    return str(problem)


def test_wrong_files_are_told_before_any_job(ours: Path, tmp_path: Path) -> None:
    """Another rank, other layers, another model, half a LoRA, two names for a layer, and what is no LoRA at all."""
    weights = _as_comfyui(ours)
    good = _write(tmp_path / "good.safetensors", weights)
    assert "a LoRA of rank 4; expected rank 16 (training.rank)" in _only_problem(good, rank=16)
    pair = [f"diffusion_model.blocks.0.self_attn.q.lora_{side}.weight" for side in "AB"]
    without = {key: value for key, value in weights.items() if key not in pair}
    found = _only_problem(_write(tmp_path / "without.safetensors", without))
    assert f"no weights for blocks.0.attn1.to_q; expected a LoRA of this model ({TARGETS.size})" in found
    half = {key: value for key, value in weights.items() if key != pair[0]}
    assert "half of a pair for blocks.0.attn1.to_q" in _only_problem(_write(tmp_path / "half.safetensors", half))
    narrow = weights | {pair[0]: torch.ones(RANK, 7)}
    assert f"7 -> {WIDTH} features for blocks.0.attn1.to_q" in _only_problem(_write(tmp_path / "narrow", narrow))
    uneven = weights | {pair[0]: torch.ones(RANK + 1, WIDTH)}
    assert f"factors [5, {WIDTH}] and [{WIDTH}, 4]" in _only_problem(_write(tmp_path / "uneven", uneven))
    image = weights | {key.replace("self_attn.q", "cross_attn.k_img"): weights[key].clone() for key in pair}
    assert "a layer blocks.0.attn2.add_k_proj" in _only_problem(_write(tmp_path / "image", image))
    twice = weights | {pair[0].removeprefix("diffusion_model."): weights[pair[0]].clone()}
    assert "blocks.0.self_attn.q.lora_A.weight beside" in _only_problem(_write(tmp_path / "twice", twice))
    other = {"double_blocks.0.img_attn_qkv.lora_A.weight": torch.ones(2, 4)}
    assert "as diffusers, ComfyUI or kohya's trainers name them" in _only_problem(_write(tmp_path / "other", other))
    mixed = weights | {"transformer.blocks.0.attn1.to_q.lora_A.weight": torch.ones(RANK, WIDTH)}
    assert "expected pairs transformer.<layer>.lora_A.weight" in _only_problem(_write(tmp_path / "mixed", mixed))
    unread = check_lora(good, TARGETS, RANK)  # of a family whose layers' other names are not known
    assert "tensor diffusion_model.blocks.0" in str(unread[0]) and len(unread) == 1


def test_the_settings_that_take_loras_say_whose_clip_it_is(ours: Path, tmp_path: Path) -> None:
    """`training.decouple_lora` with the clip as people call it, `training.shared` with the file."""
    weights = _as_comfyui(ours)
    for clip in ("a-1", "b-2"):
        (tmp_path / clip).mkdir()
        _write(tmp_path / clip / "edit.safetensors", weights)
    pattern, clips = f"{tmp_path}/{{clip}}/{{mask}}.safetensors", {"a-1": "a clip", "b-2": "another"}
    assert check_reused_loras(pattern, clips, ["edit"], TARGETS, RANK, originals=ORIGINAL_LAYERS) == []
    first, second = check_reused_loras(pattern, clips, ["edit"], TARGETS, 8, originals=ORIGINAL_LAYERS)
    assert str(first).startswith(f"clip 'a clip': {tmp_path}/a-1/edit.safetensors: found a LoRA of rank 4; expected")
    assert second.clip == "another"
    shared = {"edit": tmp_path / "a-1" / "edit.safetensors"}
    assert check_shared_loras(shared, TARGETS, RANK, originals=ORIGINAL_LAYERS) == []
    (problem,) = check_shared_loras(shared, TARGETS, 8, originals=ORIGINAL_LAYERS)
    assert "a LoRA of rank 4" in str(problem)


def test_it_is_the_first_experts_alone(ours: Path, tmp_path: Path) -> None:
    """Another program's file is of one denoiser: a run that trains both on is refused, and so is the second's load."""
    theirs = _write(tmp_path / "theirs.safetensors", _as_comfyui(ours))
    experts = ("transformer", "transformer_2")
    assert _only_problem(theirs, trained=experts).endswith("training.experts: high_noise")
    assert check_lora(theirs, TARGETS, RANK, experts[:1], ORIGINAL_LAYERS) == []
    assert read_adapter(theirs, "transformer_2", ORIGINAL_LAYERS) == ({}, {})
    with pytest.raises(InputError, match="a LoRA without a part for transformer_2"):
        load_lora(_model().transformer, theirs, part="transformer_2", originals=ORIGINAL_LAYERS)
