"""The example batch, and its report in a real browser."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.report.page import write_report
from tests.browser import open_page
from tests.lib.report.example_batch import EXPECTED, NUM_FRAMES, PROBLEMS, VERSIONS, write_example_batch


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the example batch once."""
    results = tmp_path_factory.mktemp("batch") / "results"
    write_example_batch(results, num_frames=5, size=(48, 64))
    return results


@pytest.fixture
def results(batch: Path, tmp_path: Path) -> Path:
    """Return a copy of the example batch that a test may spoil."""
    return shutil.copytree(batch, tmp_path / "results")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the report of the example batch."""
    results = tmp_path_factory.mktemp("a folder, 100% #1") / "results"
    write_example_batch(results, num_frames=NUM_FRAMES)
    write_report(results, EXPECTED, {}, PROBLEMS, "Example", VERSIONS, results / "report" / "index.html")
    return results / "report"


@pytest.fixture
def page(chromium, report: Path) -> Iterator[object]:
    """Open the report; afterwards nothing may have gone wrong or out to a network."""
    yield from open_page(chromium, report)
