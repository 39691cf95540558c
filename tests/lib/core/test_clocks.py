"""A disk's own clock, which a machine's wrong one does not move."""

import time
from pathlib import Path

import pytest

from lib.core.clocks import time_on_disk
from tests.wrong_clock import needs_compiler, run_with_clock

TELL = """
import sys, time
from lib.core.clocks import time_on_disk
print(time.time(), time_on_disk(sys.argv[1]))
"""


@needs_compiler
@pytest.mark.parametrize("seconds", [-300, 300])
def test_the_disks_clock_is_not_the_machines(seconds: float, tmp_path: Path) -> None:
    """A machine whose clock is wrong by five minutes knows when a file would be dated; no trace of that is left."""
    (disk := tmp_path / "disk").mkdir()
    told = run_with_clock(seconds, tmp_path, TELL, str(disk / "not" / "there yet"))
    own, on_disk = map(float, told.split())
    now = time.time()
    assert own == pytest.approx(now + seconds, abs=20) and on_disk == pytest.approx(now, abs=20)
    assert list(disk.iterdir()) == []


def test_where_nothing_can_be_written_the_machines_clock_must_do() -> None:
    """As for a colleague who may only read a batch."""
    assert time_on_disk("/proc") == pytest.approx(time.time(), abs=1)
