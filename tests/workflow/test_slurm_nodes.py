"""The batch on a SLURM of three nodes that share a disk and nothing else: a node may die, and clocks may differ."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.batch.activity import RunningStage, find_stage_files, read_running
from lib.batch.files import job_prefix
from lib.batch.lock import driver_facts
from lib.batch.status import read_status
from lib.core.files import PARTIAL
from tests.slurm_cluster import NODES, run
from tests.slurm_nodes import all_nodes, kill_node, node_of, set_clock, start_node
from tests.workflow.finished_runs import LOG, LORA, MADE_LATE, STATE, copy_without, finals, untrained_clip
from tests.workflow.project import planned_jobs
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
from tests.wrong_clock import needs_compiler

pytestmark = pytest.mark.usefixtures("nodes")
SKEWS = {"node-a": -240.0, "node-b": 240.0, "node-c": 240.0}
"""Seconds by which clocks are wrong; munge, and so SLURM, does without a node whose clock is five minutes off."""


@pytest.fixture(scope="module")
def nodes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Three nodes, each with a /tmp of its own; what they share is the folder below which all tests work."""
    request.getfixturevalue("slurm")
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base
    with all_nodes(shared):
        yield shared


@pytest.fixture(autouse=True)
def _nothing_left(tmp_path: Path, nodes: Path) -> Iterator[None]:
    yield
    clear(tmp_path / "batch")
    for name in NODES:
        set_clock(name, 0)
        if run("sinfo", "--noheader", "--format=%T", f"--nodes={name}").strip() != "idle":
            kill_node(name)
            run("scontrol", "update", f"nodename={name}", "state=resume")
            start_node(name, nodes)


def _on_nodes(project: Path) -> Path:
    """Set the partition of the three nodes, as a site does."""
    profile = project / "workflow" / "profiles" / "slurm" / "profile.v9+.yaml"
    text = profile.read_text()
    assert text.count("  # slurm_partition: gpu ") == 1
    profile.write_text(text.replace("  # slurm_partition: gpu ", "  slurm_partition: nodes  #"))
    return project


def _running(project: Path) -> list[RunningStage]:
    return read_running(find_stage_files(project / "results"))


def test_the_nodes_are_apart() -> None:
    """Each job's node has a name, a boot, processes and a /tmp of its own; else the tests here would prove nothing."""
    look = "echo $(hostname) $(cat /proc/sys/kernel/random/boot_id) $(readlink /proc/self/ns/pid); ls /tmp"
    told = [
        run("srun", "--partition=nodes", f"--nodelist={node}", "sh", "-c", f"{look}; touch /tmp/of-{node}").split()
        for node in NODES
        for _ in range(2)
    ]
    assert [words[0] for words in told] == [node for node in NODES for _ in range(2)]
    assert len({words[1] for words in told}) == len({words[2] for words in told}) == len(NODES)
    assert not any(Path(f"/tmp/of-{node}").exists() for node in NODES)
    for first, second in zip(told[::2], told[1::2], strict=True):
        assert [word for word in second if word.startswith("of-")] == [f"of-{second[0]}"]
        assert not [word for word in first if word.startswith("of-")]


def test_a_node_dies_with_its_jobs(two_clips: Path, tmp_path: Path) -> None:
    """Its power is cut while both clips train: the batch ends by itself, on other nodes, to the same bytes."""
    project = _on_nodes(copy_without(two_clips, tmp_path / "batch", *MADE_LATE))
    results = project / "results"
    prefix = job_prefix(results)
    with watched(results):
        run_batch(project, "start", "--slurm", "--configfile", "my.yaml", "--", *IN_HASTE)
        wait_until((project / STATE).exists, project)
        node = next(stage.mark.process.host for stage in _running(project) if "star" in stage.name)
        (results / "star-crossing" / f".cut-off.{node}-1-00000000.partial").write_text("as a writer leaves it")
        kill_node(node)
        run("scontrol", "update", f"nodename={node}", "state=down", "reason=power")
        wait_until(lambda: not driver_facts(results)["lives"], project, 400)
    assert read_status(results).driver["outcome"] == "finished"
    assert finals(project) == finals(two_clips)
    assert "goes on after step" in (project / LOG).read_text()
    again = [job for job in submissions(prefix) if job.state.startswith("NODE_FAIL")]
    assert again and not overlaps(prefix)
    assert not [path for path in results.rglob("*") if PARTIAL.fullmatch(path.name)]


@needs_compiler
def test_a_training_goes_on_on_another_node_though_clocks_differ(two_clips: Path, tmp_path: Path) -> None:
    """Queued again, it moves from a node 4 minutes slow to one as much ahead, and ends with the same bytes.

    What it says of itself is read here by the disk's clock: it runs, has just begun, and nothing is made again.
    """
    for node, skew in SKEWS.items():
        set_clock(node, skew)
    project = _on_nodes(untrained_clip(two_clips, tmp_path / "batch"))
    driver = start_on_slurm(project, "moved", "--retries", "0")
    wait_until((project / STATE).exists, project)
    job = live_job("moved")
    first = node_of(job)
    (stage,) = _running(project)
    assert stage.mark.process.host == first and 0 <= stage.seconds < 60
    run("scontrol", "update", f"nodename={first}", "state=drain", "reason=test")
    run("scontrol", "requeue", job)
    wait_until(lambda: in_queue("moved", "running"), project)
    assert node_of(job) != first
    finish(driver, project)
    assert "goes on after step" in (project / LOG).read_text()
    known = finals(two_clips)
    made = finals(project)
    assert made == {path: known[path] for path in made} and str(LORA).removeprefix("results/") in made
    assert planned_jobs(project) == {}
