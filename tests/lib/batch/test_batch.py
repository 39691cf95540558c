"""The pieces of ./batch: its lock, which clips a round plans, when a clip is finished, names of jobs."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from lib.batch.driver import snakemake_command
from lib.batch.files import Settings, batch_file, job_prefix
from lib.batch.finished import clip_fingerprint, read_finished, remember_finished
from lib.batch.lock import SECONDS_OF_SILENCE, driver_facts, take_lock, this_process, write_driver
from lib.batch.plan import choose_round
from lib.batch.status import describe_status, read_status
from lib.core.errors import InputError
from lib.core.failures import write_failure
from lib.inputs.clips import find_clips
from tests.conftest import ROOT

HOLDER = """
import sys, time
from pathlib import Path
from lib.batch.lock import take_lock, this_process, write_driver
take_lock(Path(sys.argv[1]))
write_driver(Path(sys.argv[1]), this_process())
print("held", flush=True)
time.sleep(60)
"""

READ_AND_TELL = """
import sys
from pathlib import Path
results, opened = Path(sys.argv[1]), []
sys.addaudithook(lambda event, given: opened.append(given[0]) if event == "open" else None)
from lib.batch.status import describe_status, read_status
describe_status(read_status(results))
print(*sorted({name.split(".")[0] for name in sys.modules}), sum(str(path).startswith(str(results)) for path in opened))
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


ASKER = """
import sys
from pathlib import Path
from lib.batch.lock import driver_facts
print("asks", flush=True)
while True:
    driver_facts(Path(sys.argv[1]))
"""


def test_asking_for_the_status_never_stands_in_the_way_of_a_start(tmp_path: Path) -> None:
    """Two others ask without a pause: not one of 5,000 starts is refused."""
    os.close(take_lock(tmp_path))
    write_driver(tmp_path, this_process())
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
    """A number that came back: its process began long after the driver said who it was."""
    long_ago = (datetime.now(UTC) - timedelta(days=2)).isoformat(timespec="seconds")
    other = subprocess.Popen(["sleep", "60"])
    write_driver(tmp_path, {**this_process(), "pid": other.pid})
    assert driver_facts(tmp_path)["lives"]
    write_driver(tmp_path, {**this_process(), "pid": other.pid, "started": long_ago})
    assert not driver_facts(tmp_path)["lives"]
    write_driver(tmp_path, {**this_process(), "pid": other.pid})
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
    long_ago = time.time() - SECONDS_OF_SILENCE - 1
    os.utime(batch_file(tmp_path, "driver.json"), (long_ago, long_ago))
    assert not driver_facts(tmp_path)["lives"]
    os.close(take_lock(tmp_path))


def test_rounds_take_every_clip_once_in_slices() -> None:
    """What is finished or was tried is left out; a clip that appears in mid-run is taken up; the last round reports."""
    first = choose_round(list("abcdef"), ["b"], [], None, 2)
    assert (first.chosen, first.num_left, first.is_last) == (["a", "c"], 3, False)
    second = choose_round(list("abcdef"), ["b"], first.chosen, None, 2)
    assert second.chosen == ["d", "e"]
    last = choose_round(["0", *"abcdef"], ["b", "d"], [*first.chosen, *second.chosen], None, 2)
    assert (last.chosen, last.is_last) == (["0", "f"], True)
    assert choose_round(list("abc"), [], [], ["c", "gone"], 2).chosen == ["c"]


def test_a_clip_is_finished_until_anything_of_it_changes(tmp_path: Path) -> None:
    """Its inputs, its results, its settings: each change, and a file that is gone, makes another fingerprint."""
    clips = ROOT / "demo" / "clips"
    clip = find_clips(clips, num_frames=5, start=0, stride=1).clips[0]
    made = tmp_path / clip.id / "an edit" / "edited.mp4"
    made.parent.mkdir(parents=True)
    made.write_bytes(b"video")
    prints = [clip_fingerprint(clip, tmp_path, "run")]
    assert prints == [clip_fingerprint(clip, tmp_path, "run")]
    prints.append(clip_fingerprint(clip, tmp_path, "other settings"))
    os.utime(made, (1, 1))
    prints.append(clip_fingerprint(clip, tmp_path, "run"))
    made.unlink()
    prints.append(clip_fingerprint(clip, tmp_path, "run"))
    other = find_clips(clips, num_frames=9, start=0, stride=1).clips[0]
    prints.append(clip_fingerprint(other, tmp_path, "run"))
    assert len(set(prints)) == len(prints)
    remember_finished(tmp_path, {"a": "1", "b": "2"}, [])
    remember_finished(tmp_path, {"c": "3"}, ["a"])
    assert read_finished(tmp_path) == {"b": "2", "c": "3"}


def _settings(results: Path, **changes: object) -> Settings:
    known = {"configfile": None, "own_results": None, "slurm": False, "slice_size": 1000, "options": []}
    return Settings(**{"results": str(results), "folder": str(results.parent), **known, **changes})  # type: ignore[arg-type]


def test_the_command_keeps_snakemakes_own_options(tmp_path: Path) -> None:
    """A results folder joins what the user gives in --config; SLURM's jobs carry the batch's prefix."""
    results = tmp_path / "my results"
    options = ["--cores", "2", "--config", "clips=there"]
    command = snakemake_command(_settings(results, own_results="my results", options=options, slurm=True))
    assert command[-5:] == ["--cores", "2", "--config", "results=my results", "clips=there"]
    assert command[command.index("--slurm-jobname-prefix") + 1] == job_prefix(results)
    assert job_prefix(results).startswith("edit-my-results-") and len(job_prefix(results)) < 50
    assert job_prefix(results) != job_prefix(tmp_path / "my-results")


def test_status_of_a_thousand_clips_counts_right_and_opens_few_files(tmp_path: Path) -> None:
    """Done, failed and waiting clips of a batch whose driver died. From another process, which loads no heavy library
    and opens what failed, and nothing of the hundreds that went well."""
    expected = [[f"clip {index:04d}", "edit", "mask_lora"] for index in range(1000)]
    for clip, edit, method in expected[:400]:
        folder = tmp_path / clip / edit / method
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text("{}")
        (folder / "edited.mp4").touch()
    for clip, edit, _ in expected[:450]:
        log = tmp_path / "logs" / clip / edit / "generate.log"
        log.parent.mkdir(parents=True)
        log.write_text("finished in 1.0 s\n")
    write_failure(tmp_path / "logs" / "clip 0420" / "edit" / "encode_edit.edit.log", "input", "no such frame", 1, [])
    write_failure(tmp_path / "logs" / "clip 0001" / "edit" / "encode_edit.edit.log", "input", "of long ago", 1, [])
    write_driver(tmp_path, {"host": "elsewhere", "pid": 1, "started": "today", "ended": "now", "outcome": "finished"})
    names = {"clip 0420": "вечер", "clip 0420/edit": "красный"}
    plan = {"begun": 0.0, "expected": expected, "names": names, "to_do": []}
    batch_file(tmp_path, "plan.json").write_text(json.dumps(plan))
    status = read_status(tmp_path)
    assert [list(status.clips.values()).count(state) for state in ("done", "failed", "waiting")] == [400, 1, 599]
    text = describe_status(status)
    assert (
        "вечер/красный/encode_edit.edit (attempt 1): no such frame" in text
        and "of long ago" not in text
        and "./batch retry" in text
    )
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [ROOT / "batch", "status", "--results", tmp_path]
    answer = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert answer.returncode == 0 and "400 done, 0 running, 599 waiting, 1 failed" in answer.stdout
    told = subprocess.run([sys.executable, "-c", READ_AND_TELL, tmp_path], cwd=ROOT, capture_output=True, text=True)
    *loaded, num_opened = told.stdout.split()
    assert not {"torch", "pandas", "numpy", "snakemake"} & set(loaded)
    assert 0 < int(num_opened) <= 10, told.stdout + told.stderr


def test_status_without_a_batch_says_so(tmp_path: Path) -> None:
    """No driver, no plan: a sentence, no traceback."""
    assert "No driver was started" in describe_status(read_status(tmp_path))
