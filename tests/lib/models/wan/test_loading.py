"""Loading: files read side by side, or halved first, are the same model."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from diffusers import WanTransformer3DModel

from lib.models.load import load_model
from tests.conftest import ROOT, TINY_WAN

PARALLEL_LOADING = "diffusers.models.modeling_utils.HF_ENABLE_PARALLEL_LOADING"
CPU = torch.device("cpu")


def _load(folder: Path) -> WanTransformer3DModel:
    transformer = load_model(folder, {"transformer"}, device=CPU, dtype=torch.float32).transformer
    assert isinstance(transformer, WanTransformer3DModel)
    return transformer


def test_files_read_side_by_side_are_the_same_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint of many files, loaded by several threads, holds what the one file holds, bit for bit."""
    usual = _load(TINY_WAN)
    usual.save_pretrained(tmp_path / "transformer", max_shard_size="200KB")
    shutil.copy(TINY_WAN / "model_index.json", tmp_path)
    assert len(list((tmp_path / "transformer").glob("*.safetensors"))) > 4
    monkeypatch.setattr(PARALLEL_LOADING, True)
    found, expected = _load(tmp_path).state_dict(), usual.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())


def test_the_lines_that_halve_a_checkpoint_keep_every_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What docs/speed.md says to run on a float32 checkpoint: half the file, and in bfloat16 the same model."""
    shutil.copytree(TINY_WAN, tmp_path / "published")
    _load(TINY_WAN).save_pretrained(tmp_path / "published" / "transformer")
    (lines,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "speed.md").read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(lines.replace("Wan-AI/Wan2.1-I2V-14B-480P-Diffusers", "published"), {})
    sizes, models = [], []
    for name in ("published", "wan2.1-i2v-14b-480p-bf16"):
        (file,) = (tmp_path / name / "transformer").glob("*.safetensors")
        sizes.append(file.stat().st_size)
        models.append(load_model(name, {"transformer", "encoders", "vae"}, device=CPU, dtype=torch.bfloat16))
    assert 0.5 < sizes[1] / sizes[0] < 0.6
    for part in ("transformer", "text_encoder", "image_encoder", "vae"):
        found, expected = (
            getattr(model._components[part], "module", model._components[part]).state_dict()
            for model in reversed(models)
        )
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], weight) for key, weight in expected.items()), part


def test_a_stage_asks_for_files_side_by_side_in_time() -> None:
    """diffusers reads the wish once, at its import: nothing that a stage imports may bring it before."""
    code = (
        "from pathlib import Path\n"
        "from lib.config.sections import ModelSection\n"
        "from lib.stages.job import Job\n"
        "from lib.stages.model import load_transformer\n"
        "import lib.diffusion.encoding, lib.diffusion.generation, lib.training.lora, lib.training.loop\n"
        f"section = ModelSection(name='{TINY_WAN}', device='cpu', dtype='float32')\n"
        "load_transformer(section, Job(Path('none.log'), 1), latents_shape=(1, 16, 2, 8, 8), training=False)\n"
        "import diffusers.models.modeling_utils as utils\n"
        "assert utils.HF_ENABLE_PARALLEL_LOADING"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
