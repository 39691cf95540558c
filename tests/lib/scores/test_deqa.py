"""DeQA-Score as the published code computes it, from weights as they are published."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from lib.core.errors import InputError
from lib.scores.deqa.convert import convert, main
from lib.scores.deqa.scorer import DeqaScore, load_deqa, prepare_picture, score_frames
from tests.conftest import ROOT
from tests.lib.scores.tiny_deqa import SIDE, draw_frames, write_published

CPU = torch.device("cpu")
PUBLISHED = [3.257986545562744, 3.3816823959350586, 3.1257588863372803]
"""What the published code (zhiyuanyou/DeQA-Score, with transformers 4.36.1, float32, eager attention) says of
`draw_frames` with the weights of `write_published`."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny checkpoint, converted."""
    base = tmp_path_factory.mktemp("deqa")
    write_published(base / "published")
    convert(base / "published", base / "converted", torch.float32)
    return base / "converted"


@pytest.fixture(scope="module")
def model(folder: Path) -> DeqaScore:
    """It, loaded."""
    return load_deqa(folder, CPU, torch.float32)


def test_scores_are_those_of_the_published_code(model: DeqaScore) -> None:
    """To a millionth; all at once or one by one."""
    frames = draw_frames()
    assert score_frames(model, frames) == pytest.approx(PUBLISHED, abs=2e-6)
    assert score_frames(model, frames, at_once=1) == pytest.approx(PUBLISHED, abs=2e-6)


def test_layers_from_host_memory_give_the_same(folder: Path) -> None:
    """In mode low."""
    assert score_frames(load_deqa(folder, CPU, torch.float32, "low"), draw_frames()) == pytest.approx(
        PUBLISHED, abs=2e-6
    )


def test_pictures_are_padded_to_a_square_in_the_middle() -> None:
    """With the mean colour, which is near 0 once normalised; tall ones and wide ones."""
    frame = np.full((20, 40, 3), 255, np.uint8)
    wide, tall = prepare_picture(frame, SIDE), prepare_picture(frame.transpose(1, 0, 2), SIDE)
    assert wide.shape == tall.shape == (3, SIDE, SIDE)
    assert wide[:, :10].abs().max() < 0.02 and wide[:, 20:36].min() > 1.9 and wide[:, -10:].abs().max() < 0.02
    assert torch.equal(tall, wide.transpose(1, 2))
    square = np.asarray(Image.effect_noise((SIDE, SIDE), 60).convert("RGB"))
    restored = prepare_picture(square, SIDE) * torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1)
    restored = (restored + torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1)) * 255
    assert np.abs(restored.permute(1, 2, 0).numpy() - square).max() < 1e-3


def test_converting_keeps_what_cannot_be_computed(folder: Path, tmp_path: Path) -> None:
    """In float16 by default, by the command; it refuses what is no checkpoint, and pickles of more than tensors."""
    write_published(tmp_path / "published")
    command = [sys.executable, "-m", "lib.scores.deqa.convert", str(tmp_path / "published"), str(tmp_path / "made")]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    (path,) = (tmp_path / "made").glob("*.safetensors")
    assert str(path) in made.stdout
    weights = load_file(path)
    assert {weight.dtype for weight in weights.values()} == {torch.float16}
    assert not [name for name in weights if "pos_embed" in name]
    assert weights.keys() == load_file(next(folder.glob("*.safetensors"))).keys()
    assert main([str(tmp_path), str(tmp_path / "never")]) == 1
    torch.save({"code": print}, tmp_path / "published" / "pytorch_model-00002-of-00002.bin")
    with pytest.raises(InputError, match="no weights alone"):
        convert(tmp_path / "published", tmp_path / "again")


def test_other_weights_are_told(folder: Path, tmp_path: Path) -> None:
    """A missing weight, one too many, no config.json, or another model's."""
    weights = load_file(next(folder.glob("*.safetensors")))
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    save_file(
        {name: weight for name, weight in weights.items() if name != "lm_head.weight"}, tmp_path / "a.safetensors"
    )
    with pytest.raises(InputError, match=r"without \['lm_head.weight'\]"):
        load_deqa(tmp_path, CPU, torch.float32)
    save_file({**weights, "more": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=r"with \['more'\]"):
        load_deqa(tmp_path, CPU, torch.float32)
    (tmp_path / "config.json").write_text(json.dumps({"hidden_size": 32}))
    with pytest.raises(InputError, match="no DeQA-Score"):
        load_deqa(tmp_path, CPU, torch.float32)
