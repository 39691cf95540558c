"""The batch on a real SLURM of two pretended GPUs: as good as on one machine, whatever happens to its jobs."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.batch.files import job_prefix
from lib.batch.lock import driver_facts
from lib.batch.slurm_states import correct_states
from tests.conftest import ROOT
from tests.slurm_cluster import NUM_GPUS, run
from tests.workflow.finished_runs import (
    CLIP,
    EVERYTHING,
    LOG,
    LORA,
    MADE_LATE,
    OTHER_CLIP,
    STATE,
    copy_without,
    finals,
)
from tests.workflow.project import planned_jobs, run_snakemake, write_settings
from tests.workflow.slurm_runs import (
    IN_HASTE,
    clear,
    finish,
    in_queue,
    live_job,
    overlaps,
    run_batch,
    start_on_slurm,
    submissions,
    wait_until,
    watched,
)

pytestmark = pytest.mark.usefixtures("slurm")

SHARED = {"samples_per_clip": 2, "steps": 4, "samples_per_step": 2, "clip_steps": 2, "held_out_clips": 0}


@pytest.fixture(autouse=True)
def _nothing_left(tmp_path: Path) -> Iterator[None]:
    yield
    clear(tmp_path / "batch")


def _untrained(two_clips: Path, folder: Path) -> Path:
    return copy_without(two_clips, folder / "batch", *MADE_LATE)


def _same_lora(project: Path, two_clips: Path) -> bool:
    return (project / LORA).read_bytes() == (two_clips / LORA).read_bytes()


def test_the_profile_makes_what_one_machine_makes(two_clips: Path, tmp_path: Path) -> None:
    """Three jobs a clip, each with one GPU asked for and none used twice; the same bytes as without SLURM."""
    project = copy_without(two_clips, tmp_path / "batch", *EVERYTHING)
    driver, busy = start_on_slurm(project, "plain"), [0]
    with watched(project / "results"):
        while driver.poll() is None:
            given = run("squeue", "--noheader", "--states=running,completing", "--Format=tres-alloc:200")
            busy.append(given.count("gres/gpu=1"))
            time.sleep(0.5)
    finish(driver, project)
    jobs = submissions("plain")
    assert len(jobs) == 3 * 2 and all("gres/gpu=1" in job.requested for job in jobs), jobs
    assert max(busy) == NUM_GPUS
    assert finals(project) == finals(two_clips)
    for clip in (CLIP, OTHER_CLIP):  # logs of SLURM's own, found by clip and stage
        for stage in ("group_prepare", "rule_train", "group_finish"):
            assert [log for log in (project / "slurm_logs").rglob("*.log") if clip in str(log) and stage in str(log)]
    assert planned_jobs(project) == {}


def test_a_cancelled_training_is_run_again_with_more(two_clips: Path, tmp_path: Path) -> None:
    """scancel after the first saved step: a second job that asks for more goes on from there, to the same bytes."""
    project = _untrained(two_clips, tmp_path)
    driver = start_on_slurm(project, "cancelled", LORA)
    wait_until((project / STATE).exists, project)
    run("scancel", live_job("cancelled"))
    finish(driver, project)
    first, second = submissions("cancelled")
    assert first.state.startswith("CANCELLED") and "mem=60000M" in first.requested
    assert second.state == "COMPLETED" and "mem=120000M" in second.requested
    assert "goes on after step" in (project / LOG).read_text()
    assert _same_lora(project, two_clips) and not overlaps("cancelled")


def test_a_shared_lora_is_a_job_of_its_own(two_clips: Path, tmp_path: Path) -> None:
    """Trained once, on a GPU, on samples of both clips, which start from it: the bytes that one machine makes."""
    settings = {"clips": "clips", "training": {"shared": "batch"}, "shared": SHARED}
    alone, project = (copy_without(two_clips, tmp_path / name, *MADE_LATE) for name in ("alone", "batch"))
    for folder in (alone, project):
        write_settings(folder, settings)
    answer = run_snakemake(alone, "--cores", "2")
    assert answer.returncode == 0, answer.stdout
    driver = start_on_slurm(project, "shared")
    finish(driver, project)
    (shared,) = (job for job in submissions("shared") if "train_shared" in job.comment)
    assert shared.state == "COMPLETED" and "gres/gpu=1" in shared.requested
    later = [job for job in submissions("shared") if "train_lora_decouple" in job.comment]
    assert len(later) == 2 and all(job.start and shared.end and job.start >= shared.end for job in later)
    assert finals(project) == finals(alone) and not overlaps("shared") and planned_jobs(project) == {}
    made, expected = (folder / "results/shared/edit.safetensors" for folder in (project, alone))
    assert made.read_bytes() == expected.read_bytes()


@pytest.mark.parametrize("how", ["requeue", "urgent"])
def test_a_preempted_training_goes_on_from_its_saved_step(how: str, two_clips: Path, tmp_path: Path) -> None:
    """Queued again by staff, or out of its place for an urgent job within the time of grace: no retry is spent."""
    project = _untrained(two_clips, tmp_path)
    driver = start_on_slurm(project, how, "--retries", "0", LORA)
    wait_until((project / STATE).exists, project)
    job = live_job(how)
    if how == "requeue":
        run("scontrol", "requeue", job)
    else:
        run("sbatch", "--partition=urgent", f"--gpus={NUM_GPUS}", "--mem=100", "--output=/dev/null", "--wrap=sleep 3")
    finish(driver, project)
    runs = submissions(how)
    assert {each.number for each in runs} == {job} and len(runs) == 2, runs
    assert "goes on after step" in (project / LOG).read_text()
    assert _same_lora(project, two_clips) and not overlaps(how)


def test_a_job_that_fails_after_a_preemption_has_failed() -> None:
    """Only the run that was preempted is queued again; else a job that always fails would never end."""
    script = 'test "$SLURM_RESTART_COUNT" && exit 3; sleep 90'
    job = run("sbatch", "--parsable", "--requeue", "--gpus=1", "--output=/dev/null", f"--wrap={script}").strip()
    _wait_for_state(job, "RUNNING")
    run("sbatch", "--partition=urgent", f"--gpus={NUM_GPUS}", "--output=/dev/null", "--wrap=sleep 1")
    _wait_for_state(job, "FAILED")
    assert "Restarts=1" in run("scontrol", "show", "job", job)
    assert correct_states({job: "FAILED"}, {job: time.monotonic()}) == {job: "FAILED"}


def _wait_for_state(job: str, state: str) -> None:
    command = ("squeue", "--noheader", "--states=all", "--format=%T", f"--jobs={job}")
    wait_until(lambda: run(*command).strip() == state, ROOT)


def test_a_node_that_drains_and_one_that_dies(two_clips: Path, tmp_path: Path) -> None:
    """A training waits for a drained node, and goes on from its saved step after its node went down under it."""
    project, node = _untrained(two_clips, tmp_path), f"nodename={socket.gethostname()}"
    run("scontrol", "update", node, "state=drain", "reason=test")
    try:
        driver = start_on_slurm(project, "node", LORA)
        wait_until(lambda: "PENDING" in run("squeue", "--noheader", "--format=%T"), project)
        time.sleep(5)
        assert not in_queue("node", "running")
        run("scontrol", "update", node, "state=resume")
        wait_until((project / STATE).exists, project)
        run("scontrol", "update", node, "state=down", "reason=test")
        wait_until(lambda: not in_queue("node", "running"), project)
    finally:
        run("scontrol", "update", node, "state=resume")
    finish(driver, project)
    assert "goes on after step" in (project / LOG).read_text()
    assert _same_lora(project, two_clips) and not overlaps("node")


def test_a_training_killed_for_its_memory_gets_more(two_clips: Path, tmp_path: Path) -> None:
    """SLURM itself kills what takes more memory than it asked for; the retry asks for more and ends well."""
    project = _untrained(two_clips, tmp_path)
    resources = [f"train_lora_decouple:{name}" for name in ("gpu=1", "runtime=10", "mem_mb=100 * attempt ** 5")]
    driver = start_on_slurm(project, "memory", "--set-resources", *resources, "--", LORA)
    finish(driver, project)
    first, second = submissions("memory")
    assert "FAILED" in first.state or "OUT_OF_ME" in first.state
    log = next((project / "slurm_logs").rglob(f"{first.number}.log"))
    assert "exceeded memory limit" in log.read_text()
    assert second.state == "COMPLETED" and "mem=3200M" in second.requested
    assert _same_lora(project, two_clips)


def test_a_job_that_cannot_be_submitted_is_an_error(two_clips: Path, tmp_path: Path) -> None:
    """Where SLURM's logs cannot be written, single jobs and groups fail; the driver does not wait for them for ever."""
    project = copy_without(two_clips, tmp_path / "batch", *EVERYTHING)
    (project / "slurm_logs").touch()
    driver = start_on_slurm(project, "refused", "--retries", "0")
    assert driver.wait(240) == 1
    assert "File exists" in (project / "driver.log").read_text()


def test_a_driver_killed_in_mid_run_is_resumed(two_clips: Path, tmp_path: Path) -> None:
    """kill -9 of the driver while both clips train; ./batch resume: no stage twice at once, and the same bytes."""
    project = _untrained(two_clips, tmp_path)
    results = project / "results"
    prefix = job_prefix(results)
    with watched(results):
        run_batch(project, "start", "--slurm", "--configfile", "my.yaml", "--", *IN_HASTE)
        wait_until((project / STATE).exists, project)
        driver = driver_facts(results)["pid"]
        os.kill(driver, signal.SIGKILL)
        wait_until(lambda: not driver_facts(results)["lives"], project)
        assert in_queue(prefix), "its jobs go on without it"
        run_batch(project, "resume", "--foreground")
    assert not overlaps(prefix)
    assert "goes on after step" in (project / LOG).read_text()
    assert finals(project) == finals(two_clips)
