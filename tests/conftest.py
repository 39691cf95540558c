"""What all tests share: the tiny demo models, loaded once, and one thread so that sums repeat."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from lib.models.base import VideoModel
from lib.models.load import load_model
from tests.browser import start_browser
from tests.slurm_cluster import cluster, why_not

ROOT = Path(__file__).resolve().parent.parent
TINY_WAN = ROOT / "demo" / "models" / "wan2.1-i2v-tiny"


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    """Headless Chromium, for one module of tests."""
    yield from start_browser()


@pytest.fixture(scope="session")
def slurm() -> Iterator[None]:
    """A real SLURM of one node and two pretended GPUs, for the whole session."""
    reason = why_not()
    if reason and os.environ.get("SLURM_TESTS") != "required":
        pytest.skip(reason)
    assert not reason, reason
    with cluster():
        yield


@pytest.fixture
def tiny_wan() -> VideoModel:
    """The demo's Wan checkpoint with every component, fresh for each test: a LoRA must not leak."""
    components = {"vae", "encoders", "transformer"}
    return load_model(TINY_WAN, components, device=torch.device("cpu"), dtype=torch.float32)
