"""Faults at random, from a seed: every clip is edited, to the bytes of an undisturbed run, or set aside with a reason.

A few clips for a minute; `make chaos` sends 30 for five. CHAOS_CLIPS, CHAOS_SECONDS and CHAOS_SEED are read.
"""

import os
import random
import shutil
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from lib.batch.files import job_prefix
from lib.batch.lock import driver_facts
from lib.batch.status import read_status
from tests.conftest import ROOT
from tests.slurm_cluster import run
from tests.workflow.finished_runs import CLIP, NUM_STEPS, finals
from tests.workflow.project import copy_project, write_settings
from tests.workflow.slurm_runs import (
    IN_HASTE,
    clear,
    in_queue,
    overlaps,
    run_batch,
    submissions,
    wait_until,
    watched,
)

pytestmark = pytest.mark.usefixtures("slurm")
NUM_CLIPS = int(os.environ.get("CHAOS_CLIPS", "3"))
SECONDS = float(os.environ.get("CHAOS_SECONDS", "60"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
CORRUPT = "corrupt"
SECONDS_A_CLIP = 200  # on two busy cores
NODE = f"nodename={socket.gethostname()}"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """One clip many times over, and a corrupt one; whatever a failed test leaves is ended."""
    project = copy_project(tmp_path)
    for number in range(NUM_CLIPS):
        shutil.copytree(ROOT / "demo" / "clips" / CLIP, project / "clips" / f"clip-{number:02d}")
    shutil.copytree(ROOT / "demo" / "clips" / CLIP, project / "clips" / CORRUPT)
    write_settings(project, {"clips": "clips", "training": {"decouple_steps": NUM_STEPS}})
    yield project
    _resume_node()
    clear(project)


def _cancel(project: Path, chance: random.Random) -> None:
    jobs = in_queue(job_prefix(project / "results"))
    if jobs:
        run("scancel", chance.choice(sorted(jobs)))


def _requeue(project: Path, chance: random.Random) -> None:
    jobs = in_queue(job_prefix(project / "results"), "running")
    if jobs:
        with suppress(AssertionError):  # it may just have ended
            run("scontrol", "requeue", chance.choice(sorted(jobs)))


def _kill_process(_: Path, chance: random.Random) -> None:
    """End a process of a job, as the kernel does when memory runs out: Snakemake's or a stage's."""
    steps = [process for process in psutil.process_iter(["name"]) if process.info["name"] == "slurmstepd"]
    with suppress(psutil.Error):
        of_jobs = [child for step in steps for child in step.children(recursive=True) if child.name() != "slurmstepd"]
        if of_jobs:
            chance.choice(sorted(of_jobs, key=lambda process: process.pid)).kill()


def _drain(_: Path, chance: random.Random) -> None:
    run("scontrol", "update", NODE, "state=drain", "reason=chaos")
    time.sleep(chance.uniform(1, 5))
    _resume_node()


def _resume_node() -> None:
    with suppress(AssertionError):  # SLURM refuses what changes nothing
        run("scontrol", "update", NODE, "state=resume")


def _kill_driver(project: Path, _: random.Random) -> None:
    driver = driver_facts(project / "results")
    if driver["lives"]:
        with suppress(ProcessLookupError):
            os.kill(driver["pid"], signal.SIGKILL)
        wait_until(lambda: not driver_facts(project / "results")["lives"], project)
    run_batch(project, "resume")


FAULTS: tuple[tuple[Callable[[Path, random.Random], None], int], ...] = (
    (_cancel, 5),
    (_requeue, 4),
    (_kill_process, 5),
    (_drain, 4),
    (_kill_driver, 1),
)


def test_whatever_happens_each_clip_is_edited_or_set_aside_with_a_reason(project: Path, two_clips: Path) -> None:
    """Nothing is run twice at once, no half file is ever seen, and what the faults left undone a retry does."""
    undisturbed, results = finals(two_clips), project / "results"
    reference = {path.partition("/")[2]: made for path, made in undisturbed.items() if path.startswith(f"{CLIP}/")}
    chance, done = random.Random(SEED), Counter[str]()
    faults, weights = zip(*FAULTS, strict=True)
    each_once = chance.sample(faults, len(faults))
    with watched(results):
        run_batch(project, "start", "--slurm", "--configfile", "my.yaml", "--", *IN_HASTE)
        source = project / "clips" / CORRUPT / "source.mp4"
        source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])  # found only when it is read
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            time.sleep(chance.uniform(3, 15))
            fault = each_once.pop() if each_once else chance.choices(faults, weights)[0]
            fault(project, chance)
            done[fault.__name__] += 1
        rounds = 0
        while _unfinished(results) and rounds < 3:
            wait_until(lambda: not driver_facts(results)["lives"], project, 300 + SECONDS_A_CLIP * NUM_CLIPS)
            rounds += 1
            if _unfinished(results):
                run_batch(project, "retry", "--foreground", code=None)
        wait_until(lambda: not driver_facts(results)["lives"], project, 300 + SECONDS_A_CLIP * NUM_CLIPS)
    prefix = job_prefix(results)
    states = Counter(job.state.split()[0] for job in submissions(prefix))
    print(f"{NUM_CLIPS} clips, faults {dict(done)}, {rounds} rounds, {sum(states.values())} jobs {dict(states)}")
    assert not overlaps(prefix)
    made = finals(project)
    for number in range(NUM_CLIPS):
        clip = f"clip-{number:02d}"
        assert {path.partition("/")[2]: content for path, content in made.items() if path.startswith(clip)} == reference
    status, page = read_status(results), (results / "report" / "index.html").read_text()
    assert not _unfinished(results) and status.clips.get(CORRUPT) != "done"
    assert CORRUPT in status.clips or status.num_left_out, "failed, or left out by a driver that found it so"
    assert CORRUPT in page and "unreadable video" in page


def _unfinished(results: Path) -> list[str]:
    """Return the clips, but for the corrupt one, that are not done."""
    return [clip for clip, state in read_status(results).clips.items() if state != "done" and clip != CORRUPT]
