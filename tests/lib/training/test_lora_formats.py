"""LoRA files under the names of other programs: read, written, and loaded by diffusers' own pipeline as ours are."""

from pathlib import Path

import pytest
import torch
from diffusers import WanImageToVideoPipeline
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from lib.core.errors import InputError
from lib.inputs.lora_files import check_lora
from lib.training.lora_formats import main, read_lora, write_lora
from tests.conftest import ROOT

OURS = ROOT / "demo" / "models" / "shared" / "edit.safetensors"


def test_diffusers_reads_the_renamed_file_as_ours(tmp_path: Path) -> None:
    """Tensor by tensor, with the pipeline's own loader; and renamed back it is ours, which the checks accept."""
    renamed, back = tmp_path / "comfyui.safetensors", tmp_path / "ours.safetensors"
    assert main([str(OURS), str(renamed), "--to", "comfyui"]) == 0
    assert all(name.startswith("diffusion_model.blocks.") for name in load_file(renamed))
    assert any(".self_attn.q.lora_A" in name for name in load_file(renamed))
    read = WanImageToVideoPipeline.lora_state_dict(renamed)
    ours = load_file(OURS)
    assert read.keys() == ours.keys() and all(torch.equal(read[name], ours[name]) for name in ours)
    assert main([str(renamed), str(back), "--to", "diffusers"]) == 0
    again = load_file(back)
    assert again.keys() == ours.keys() and all(torch.equal(again[name], ours[name]) for name in ours)
    assert check_lora(back, None, 16) == []


def test_alpha_counts_the_same_after_the_change(tmp_path: Path) -> None:
    """Where it is not the rank, in the metadata or beside each pair, one factor takes what it makes of the pair."""
    down, up = torch.randn(4, 8), torch.randn(6, 4)
    kohya = {
        "lora_unet_blocks_3_cross_attn_k_img.lora_down.weight": down,
        "lora_unet_blocks_3_cross_attn_k_img.lora_up.weight": up,
        "lora_unet_blocks_3_cross_attn_k_img.alpha": torch.tensor(2.0),
        "lora_unet_blocks_3_ffn_0.lora_down.weight": down.clone(),
        "lora_unet_blocks_3_ffn_0.lora_up.weight": up.clone(),
    }
    save_file(kohya, tmp_path / "kohya.safetensors")
    lora = read_lora(tmp_path / "kohya.safetensors", "wan")
    assert lora.alphas == {"blocks.3.attn2.add_k_proj": 2.0, "blocks.3.ffn.net.0.proj": 4.0}
    write_lora(lora, tmp_path / "ours.safetensors", "diffusers", "wan")
    made = load_file(tmp_path / "ours.safetensors")
    product = made["transformer.blocks.3.attn2.add_k_proj.lora_B.weight"] @ down
    assert torch.allclose(product, 0.5 * up @ down)
    assert torch.equal(made["transformer.blocks.3.ffn.net.0.proj.lora_B.weight"], up)
    with safe_open(OURS, framework="pt") as opened:
        metadata = {
            key: text.replace('"transformer.lora_alpha": 16', '"transformer.lora_alpha": 8')
            for key, text in opened.metadata().items()
        }
    assert metadata != safe_open(OURS, framework="pt").metadata()
    save_file(load_file(OURS), tmp_path / "half.safetensors", metadata=metadata)
    assert set(read_lora(tmp_path / "half.safetensors", "wan").alphas.values()) == {8.0}


@pytest.mark.parametrize("form", ["diffusion_model.{}", "base_model.model.{}", "{}", "model.diffusion_model.{}"])
def test_names_of_other_programs(form: str, tmp_path: Path) -> None:
    """The authors' and trainers', with either word for the factors, and with peft's name of the adapter left in."""
    layer = form.format("blocks.0.self_attn.o")
    factors = {f"{layer}.lora_A.default.weight": torch.ones(2, 4), f"{layer}.lora_B.default.weight": torch.ones(4, 2)}
    save_file(factors, tmp_path / "a.safetensors")
    assert read_lora(tmp_path / "a.safetensors", "wan").factors.keys() == {"blocks.0.attn1.to_out.0"}


def test_what_is_no_lora_of_the_family_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the tensor that does not belong, and nothing written."""
    pair = {"x.lora_A.weight": torch.ones(2, 4), "x.lora_B.weight": torch.ones(4, 2)}
    other = {"diffusion_model.double_blocks.0.img_attn_qkv.lora_A.weight": torch.ones(2, 4), **pair}
    half = {"diffusion_model.blocks.0.self_attn.q.lora_A.weight": torch.ones(2, 4)}
    for number, weights in enumerate((other, half, {"blocks.0.ffn.0.weight": torch.ones(2)})):
        path = tmp_path / f"{number}.safetensors"
        save_file(weights, path)
        with pytest.raises(InputError, match="pairs of a LoRA of this family"):
            read_lora(path, "wan")
        assert main([str(path), str(tmp_path / "made.safetensors")]) == 1
    (tmp_path / "none.safetensors").write_bytes(b"no safetensors")
    assert main([str(tmp_path / "none.safetensors"), str(tmp_path / "made.safetensors")]) == 1
    assert not (tmp_path / "made.safetensors").exists() and "safetensors" in capsys.readouterr().err
    ranks = {
        f"diffusion_model.blocks.{block}.ffn.0.lora_{side}.weight": torch.ones(shape)
        for block, rank in ((0, 2), (1, 3))
        for side, shape in (("A", (rank, 4)), ("B", (4, rank)))
    }
    save_file(ranks, tmp_path / "ranks.safetensors")
    lora = read_lora(tmp_path / "ranks.safetensors", "wan")
    with pytest.raises(InputError, match="ranks"):
        write_lora(lora, tmp_path / "made.safetensors", "diffusers", "wan")
    write_lora(lora, tmp_path / "made.safetensors", "comfyui", "wan")
