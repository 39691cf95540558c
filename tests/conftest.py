"""What all tests share: the tiny demo models, loaded once, and one thread so that sums repeat."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from lib.models.base import VideoModel
from lib.models.load import load_model
from tests.browser import start_browser
from tests.slurm_cluster import cluster, why_not

ROOT = Path(__file__).resolve().parent.parent
TURN = {"workflow": 0, "demo": 1}  # of the folders below tests/: the longest first
TINY_WAN = ROOT / "demo" / "models" / "wan2.1-i2v-tiny"


class ByFile(LoadScopeScheduling):
    """With `-n`, a file's tests run in one process, since they share what is slow to make; so do those of the SLURM.

    pytest-xdist's own groups come out of the tests' names, which pytest 9 no longer lets it change.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "slurm" if _needs_slurm(nodeid) else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    """Share tests out to processes."""
    return ByFile(config, log)


@pytest.hookimpl(tryfirst=True)  # before those that are not asked for are left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with SLURM's tests, which mostly wait, then whole runs: what is short fills the gaps at the end.

    SLURM's take twenty minutes by themselves, one after the other, and few machines have one: they count as slow.
    """
    for item in items:
        if _needs_slurm(item.nodeid):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: (not _needs_slurm(item.nodeid), TURN.get(item.nodeid.split("/")[1], 2)))


def _needs_slurm(nodeid: str) -> bool:
    return nodeid.startswith("tests/workflow/test_slurm")


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
