"""Whether something lives is told by the clock that dates its files, not by that of the machine that asks."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.batch.files import batch_file
from lib.batch.lock import SECONDS_OF_SILENCE, driver_facts, write_driver
from lib.core.clocks import disk_time, seconds_since_change
from lib.core.files import read_json, write_json
from lib.core.marks import mark_path, read_mark, running_mark, still_runs

HOUR = 3600.0


@pytest.fixture(params=[HOUR, -HOUR], ids=["ahead", "behind"])
def _other_clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's clock is an hour away from the disk's, as a network disk's may be by minutes."""
    own: Callable[[], float] = time.time
    monkeypatch.setattr(time, "time", lambda: own() + request.param)


def _silent(path: Path, seconds: float) -> None:
    """Let a file's last change be so long ago, by the disk's clock."""
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def test_the_disks_clock_leaves_no_trace(tmp_path: Path) -> None:
    """It is that of a file just written; a folder that cannot be written to has this machine's."""
    written = tmp_path / "written"
    written.touch()
    before = tmp_path.stat().st_mtime_ns
    assert 0 <= disk_time(tmp_path) - written.stat().st_mtime < 60
    assert 0 <= seconds_since_change(written) < 60
    assert [path.name for path in tmp_path.iterdir()] == ["written"] and tmp_path.stat().st_mtime_ns == before
    assert abs(disk_time(tmp_path / "nothing") - time.time()) < 60


@pytest.mark.usefixtures("_other_clock")
def test_a_driver_elsewhere_is_judged_by_the_disks_clock(tmp_path: Path) -> None:
    """One that beats lives, and one that has been silent for long does not."""
    write_driver(tmp_path, {"host": "elsewhere", "pid": 1, "started": "today"})
    assert driver_facts(tmp_path)["lives"]
    _silent(batch_file(tmp_path, "driver.json"), SECONDS_OF_SILENCE + 60)
    assert not driver_facts(tmp_path)["lives"]


@pytest.mark.usefixtures("_other_clock")
def test_a_stage_elsewhere_is_judged_by_the_disks_clock(tmp_path: Path) -> None:
    """The same of a stage's mark."""
    log = tmp_path / "generate.log"
    with running_mark(log, 1):
        path = mark_path(log)
        write_json(path, {**read_json(path), "host": "elsewhere"})
        mark = read_mark(path)
        assert mark is not None and still_runs(path, mark)
        _silent(path, 10 * 60)
        assert not still_runs(path, mark)
