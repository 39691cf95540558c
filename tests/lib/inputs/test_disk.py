"""The room that a batch needs, and disks that are too small for it."""

from pathlib import Path

import pytest

from lib.config.families import LoraLayers, family_of
from lib.core.units import GIB
from lib.inputs.checkpoints import read_lora_targets
from lib.inputs.disk import check_disk, estimate_lora_bytes
from lib.models.base import VideoModel
from lib.training.lora import attach_lora
from tests.conftest import TINY_WAN

LAYERS: tuple[LoraLayers, ...] = ("self_attention", "cross_attention", "feed_forward")


def test_lora_size_estimate_is_the_real_size(tiny_wan: VideoModel) -> None:
    """From the transformer's config.json alone, without loading it."""
    parameters = attach_lora(tiny_wan.transformer, tiny_wan.lora_target_modules(LAYERS), 4, 4.0, 0)
    real = sum(parameter.numel() for parameter in parameters) * 4
    assert estimate_lora_bytes(read_lora_targets(str(TINY_WAN), family_of("wan")), rank=4, layers=LAYERS) == real


def test_the_14b_lora_is_as_large_as_measured() -> None:
    """76.7 M parameters at rank 16, the authors' figure."""
    shape = {"num_attention_heads": 40, "attention_head_dim": 128, "ffn_dim": 13824, "num_layers": 40}
    assert estimate_lora_bytes(family_of("wan").lora_targets(shape), 16, LAYERS) / 4e6 == pytest.approx(76.7, abs=0.1)


def test_disk_that_is_too_small_is_a_problem(tmp_path: Path) -> None:
    """Asked of the disk that the results folder will be on, although it does not exist yet."""
    folder = tmp_path / "not" / "yet"
    assert check_disk(folder, 1000, min_free_disk=0) == []
    problems = check_disk(folder, 10**6 * GIB, min_free_disk=1)
    assert "GiB of free disk" in problems[0].found and "1000001.0 GiB" in problems[0].expected
    assert not folder.exists()
