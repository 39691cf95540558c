"""One driver at a time: a lock that lives as long as its holder, and asking for it stands in nobody's way."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from lib.batch.files import batch_file
from lib.batch.lock import SECONDS_OF_SILENCE, driver_facts, take_lock, this_driver, write_driver
from lib.core.errors import InputError
from tests.conftest import ROOT

HOLDER = """
import sys, time
from pathlib import Path
from lib.batch.lock import take_lock, this_driver, write_driver
take_lock(Path(sys.argv[1]))
write_driver(Path(sys.argv[1]), this_driver())
print("held", flush=True)
time.sleep(60)
"""
ASKER = """
import sys
from pathlib import Path
from lib.batch.lock import driver_facts
print("asks", flush=True)
while True:
    driver_facts(Path(sys.argv[1]))
"""


def test_a_lock_is_held_until_its_holder_is_gone(tmp_path: Path) -> None:
    """A second driver is refused with who works there; after kill -9 of the first the folder is free."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    holder = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    with pytest.raises(InputError, match=f"a driver at work .*process {holder.pid}, since 2"):
        take_lock(tmp_path)
    assert driver_facts(tmp_path)["lives"]
    holder.kill()
    holder.wait()
    assert not driver_facts(tmp_path)["lives"]
    os.close(take_lock(tmp_path))


def test_a_lock_is_held_by_a_child_that_inherits_it_alone(tmp_path: Path) -> None:
    """The driver is gone and its Snakemake is not: the folder is not free; it is when that ends."""
    descriptor = take_lock(tmp_path)
    child = subprocess.Popen(["sleep", "60"], pass_fds=[descriptor])
    bystander = subprocess.Popen(["sleep", "60"])
    os.close(descriptor)
    with pytest.raises(InputError, match="a driver at work"):
        take_lock(tmp_path)
    child.kill()
    child.wait()
    os.close(take_lock(tmp_path))
    bystander.kill()
    bystander.wait()


def test_asking_for_the_status_never_stands_in_the_way_of_a_start(tmp_path: Path) -> None:
    """Two others ask without a pause: not one of 5,000 starts is refused."""
    os.close(take_lock(tmp_path))
    write_driver(tmp_path, this_driver())
    command = [sys.executable, "-c", ASKER, str(tmp_path)]
    askers = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        assert all(asker.stdout is not None and asker.stdout.readline() == "asks\n" for asker in askers)
        for _ in range(5000):
            os.close(take_lock(tmp_path))
    finally:
        for asker in askers:
            asker.kill()
            asker.wait()


def test_a_process_that_has_a_dead_drivers_number_is_not_taken_for_it(tmp_path: Path) -> None:
    """A number that came back, since then or since the machine began anew: by when its process began, not by clocks."""
    other = subprocess.Popen(["sleep", "60"])
    born = int(Path(f"/proc/{other.pid}/stat").read_text().split()[21])
    its_own = {**this_driver(), "pid": other.pid, "born": born, "started": "2001-01-01T00:00:00+00:00"}
    write_driver(tmp_path, its_own)
    assert driver_facts(tmp_path)["lives"] and driver_facts(tmp_path)["is_here"]
    for difference in ({"born": born - 1}, {"boot": "an earlier one"}):
        write_driver(tmp_path, {**its_own, **difference})
        assert not driver_facts(tmp_path)["lives"]
    write_driver(tmp_path, its_own)
    other.kill()  # not waited for: it stays as a zombie
    while psutil.Process(other.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert not driver_facts(tmp_path)["lives"]
    other.wait()


def test_a_driver_on_another_host_is_believed_while_it_gives_signs_of_life(tmp_path: Path) -> None:
    """A network disk may not carry the lock: the other host is named, and after its silence the folder is free."""
    os.close(take_lock(tmp_path))
    write_driver(tmp_path, {"host": "elsewhere", "pid": 1, "started": "today"})
    with pytest.raises(InputError, match="elsewhere, process 1, since today.*If elsewhere is dead"):
        take_lock(tmp_path)
    assert driver_facts(tmp_path)["lives"] and not driver_facts(tmp_path)["is_here"], "nobody may signal its number"
    long_ago = time.time() - SECONDS_OF_SILENCE - 1
    os.utime(batch_file(tmp_path, "driver.json"), (long_ago, long_ago))
    assert not driver_facts(tmp_path)["lives"]
    os.close(take_lock(tmp_path))
