"""Machines whose clocks differ by minutes judge one batch on their shared disk alike."""

import os
import time
from pathlib import Path

import pytest

from lib.batch.files import batch_file
from lib.batch.lock import SECONDS_OF_SILENCE as OF_DRIVER
from lib.batch.lock import this_driver, write_driver
from lib.core.files import read_json, write_json
from lib.core.marks import SECONDS_OF_SILENCE as OF_STAGE
from lib.core.marks import mark_path, running_mark
from tests.wrong_clock import needs_compiler, run_with_clock

pytestmark = needs_compiler
CLOCKS = pytest.mark.parametrize("seconds", [-270, 270])

READ = """
import sys
from pathlib import Path
from lib.batch.activity import find_stage_files, read_failures, read_running
from lib.batch.lock import driver_facts, take_lock
from lib.core.errors import InputError
results = Path(sys.argv[1])
files = find_stage_files(results)
print(*[f"{stage.name} for {stage.seconds < 30}" for stage in read_running(files)], *read_failures(files), sep=", ")
print(driver_facts(results)["lives"])
try:
    take_lock(results)
    print("free")
except InputError:
    print("busy")
"""
PLAN = """
import sys
from pathlib import Path
from lib.batch.plan import Round, Work, note_plan
video = ("clip", "edit", "mask_lora")
work = Work(Path(sys.argv[1]), {}, {}, [video], [], "")
note_plan(work, Round(["clip"], [], [], None), [video], anew=True)
"""
FAIL = """
import sys
from lib.core.failures import write_failure
write_failure(sys.argv[1], "input", "no such frame", 1, [])
"""
JUDGE = """
import sys
from pathlib import Path
from lib.batch.plan import note_failures
from lib.core.failures import read_failure
from lib.core.files import read_json
from lib.report.outcomes import LastRun, is_done
results, log = Path(sys.argv[1]), sys.argv[2]
video = ("clip", "edit", "mask_lora")
run = LastRun(read_json(results / ".batch" / "plan.json")["begun"], frozenset([video]))
note_failures(results, [(log, 1)])
print(is_done(results, video, run), read_failure(log).reason)
"""


@CLOCKS
def test_what_runs_on_another_machine_is_seen_there(seconds: float, tmp_path: Path) -> None:
    """Its stage and its driver give signs of life: nobody takes them for dead, nor the dead for living."""
    log = tmp_path / "logs" / "clip" / "generate.log"
    write_driver(tmp_path, {**this_driver(), "host": "elsewhere"})
    with running_mark(log, 1):
        mark = read_json(mark_path(log))
        write_json(mark_path(log), {**mark, "process": {**mark["process"], "host": "elsewhere"}})
        told = run_with_clock(seconds, tmp_path, READ, str(tmp_path)).splitlines()
        assert told == ["clip/generate for True", "True", "busy"]
        for path, silence in ((mark_path(log), OF_STAGE), (batch_file(tmp_path, "driver.json"), OF_DRIVER)):
            os.utime(path, (time.time() - silence - 1,) * 2)
        assert run_with_clock(seconds, tmp_path, READ, str(tmp_path)).splitlines() == ["clip/generate", "False", "free"]


@CLOCKS
def test_what_was_made_or_failed_in_this_run_counts_as_of_this_run(seconds: float, tmp_path: Path) -> None:
    """A driver whose clock is ahead, or behind, and a node that is so the other way round, in a run's first minutes."""
    batch_file(tmp_path, "plan.json").parent.mkdir()
    run_with_clock(seconds, tmp_path, PLAN, str(tmp_path))
    folder, log = tmp_path / "clip" / "edit" / "mask_lora", tmp_path / "logs" / "clip" / "generate.log"
    folder.mkdir(parents=True)
    for name in ("metrics.json", "edited.mp4"):
        (folder / name).touch()
    run_with_clock(-seconds, tmp_path, FAIL, str(log))
    assert run_with_clock(seconds, tmp_path, JUDGE, str(tmp_path), str(log)).strip() == "True no such frame"
