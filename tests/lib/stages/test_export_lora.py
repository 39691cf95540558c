"""The copies of a LoRA for other programs, as the stage writes them."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import WanImageToVideoPipeline
from safetensors import safe_open
from safetensors.torch import load_file

from lib.inputs.lora_files import METADATA_KEY, check_lora
from lib.models.wan.family import ORIGINAL_LAYERS
from lib.report.outcomes import judge
from lib.stages.export_lora import export_lora
from lib.stages.job import call_stage
from lib.training.lora import LoraPart, save_parts
from lib.training.lora_formats import main

EXPERTS = ("transformer", "transformer_2")
LAYER = "blocks.0.attn1.to_out.0"


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    """A LoRA of two experts, of rank 2 and alpha 6: it counts three times what its factors make."""
    settings = {"r": 2, "lora_alpha": 6.0, "target_modules": ["attn1.to_out.0"], "peft_type": "LORA"}
    parts = [
        LoraPart(name, {f"{LAYER}.lora_{side}.weight": torch.randn(shape) for side, shape in shapes.items()}, settings)
        for name, shapes in dict.fromkeys(EXPERTS, {"A": (2, 8), "B": (8, 2)}).items()
    ]
    save_parts(parts, tmp_path / "decouple.safetensors")
    return tmp_path / "decouple.safetensors"


def _export(lora: Path, kind: str, expert: str) -> Path:
    copy = lora.with_name(f"decouple.{kind}.{expert}.safetensors")
    call_stage(
        export_lora,
        {
            "inputs": {"lora": str(lora)},
            "outputs": {"exported": str(copy)},
            "params": {"model": {"family": "wan22"}, "training": {"lora_format": kind}, "expert": expert},
        },
    )
    return copy


@pytest.mark.parametrize("expert", EXPERTS)
@pytest.mark.parametrize(
    ("kind", "name"), [("comfyui", "diffusion_model.blocks.0.self_attn.o"), ("diffusers", f"transformer.{LAYER}")]
)
def test_each_expert_has_a_copy_that_counts_the_same(lora: Path, kind: str, name: str, expert: str) -> None:
    """Under one denoiser's names, as diffusers' pipeline reads them too, with alpha in the weights."""
    copy, ours = _export(lora, kind, expert), load_file(lora)
    weights = load_file(copy)
    assert weights.keys() == {f"{name}.lora_{side}.weight" for side in "AB"}
    down, up = (ours[f"{expert}.{LAYER}.lora_{side}.weight"] for side in "AB")
    product = weights[f"{name}.lora_B.weight"] @ weights[f"{name}.lora_A.weight"]
    torch.testing.assert_close(product, 3 * up @ down)
    read = WanImageToVideoPipeline.lora_state_dict(copy)
    assert torch.equal(read[f"transformer.{LAYER}.lora_A.weight"], down)
    with safe_open(copy, framework="pt") as opened:
        written = json.loads(opened.metadata().get(METADATA_KEY, "null"))
    assert written is None if kind == "comfyui" else written["transformer.lora_alpha"] == written["transformer.r"] == 2


def test_both_copies_make_the_lora_again(lora: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another program's two files are one of ours, which a run that trains both experts takes."""
    high, low = (_export(lora, "comfyui", expert) for expert in EXPERTS)
    back = lora.with_name("back.safetensors")
    two = ["--low-noise", str(low), "--to", "diffusers"]
    assert main([str(high), str(back), *two, "--family", "wan22"]) == 0
    assert f"{back}: 1 layers of transformer and of transformer_2" in capsys.readouterr().out
    assert check_lora(back, None, 2, EXPERTS, ORIGINAL_LAYERS) == []
    before, after = load_file(lora), load_file(back)
    assert after.keys() == before.keys()
    for name, factor in before.items():
        torch.testing.assert_close(after[name], factor if "lora_A" in name else 3 * factor)
    for wrong in ([*two, "--family", "wan"], [*two[:2], "--family", "wan22"], [*two, "--expert", EXPERTS[1]]):
        with pytest.raises(SystemExit):
            main([str(high), str(back), *wrong])


def test_a_copy_that_failed_holds_up_no_video() -> None:
    """It is none of what a video is made from, whatever waits."""
    video = ("a-clip", "an-edit", "mask_lora")
    for stage in ("a-clip/export_lora_decouple.edit.comfyui", "a-clip/an-edit/export_lora_appearance.edit.comfyui"):
        assert judge(video, False, [stage]) == "not run"
    assert judge(video, False, ["a-clip/train_lora_decouple.edit"]) == "failed"
