"""Finished batches, each run once a session by whichever process asks first: to be looked at or copied, not changed."""

from pathlib import Path

import pytest

from tests.workflow.finished_runs import once, run_three_edits, run_two_clips


@pytest.fixture(scope="session")
def two_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two demo clips with an edit each; the batch to interrupt, to break and to repeat."""
    return once(tmp_path_factory, "two clips", run_two_clips)


@pytest.fixture(scope="session")
def three_edits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filmed clip with a reference, and a clip with two edits; in a project with spaces in its path."""
    return once(tmp_path_factory, "three edits", run_three_edits)
