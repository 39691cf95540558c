"""Odd names on a real SLURM: a shell submits each of them, and none is run or lost on the way."""

import re
import sys
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import pytest

from lib.batch.files import job_prefix
from lib.core.text import printable
from tests.odd_names import LONGEST_SAFE, ODD_NAMES
from tests.workflow.odd_batches import add_clip, assert_nothing_was_run, made, pairs_of
from tests.workflow.project import copy_project, write_settings
from tests.workflow.slurm_runs import clear, finish, run_batch, start_on_slurm, submissions

pytestmark = pytest.mark.usefixtures("slurm")
WORST = {"'\"$(touch INJECTED)\"'": "a`touch INJECTED`b", "100%j %A": "20" * 20, LONGEST_SAFE: "e" * 255}
"""Clips and edits that are made to the end; of all others a job prepares clip and edit, which takes seconds."""
SAFE = re.compile(r"[A-Za-z0-9._-]+")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project without clips; nothing of it is left in the queue."""
    (tmp_path / "batch").mkdir()
    project = copy_project(tmp_path / "batch")
    (project / ".venv").symlink_to(sys.prefix)
    write_settings(project, {"clips": "clips", "min_free_disk": 0, "training": {"decouple_steps": 1}})
    yield project
    clear(project)


def test_every_odd_name_is_submitted_and_made(project: Path) -> None:
    """Half of the names are clips', the other half edits'; one clip and edit have the longest ids there are."""
    names = [name for name in ODD_NAMES if name not in {*WORST, *WORST.values()}]
    for clip, edit in [*WORST.items(), *zip_longest(names[::2], names[1::2], fillvalue="edit")]:
        add_clip(project, clip, [edit])
    pairs = pairs_of(project)
    wanted = {f"{clip.id}/{edit.id}": clip.name in WORST for clip, edit in pairs.values()}
    targets = [
        f"results/{where}/{'mask_lora/edited.mp4' if whole else 'first_frame.png'}" for where, whole in wanted.items()
    ]
    finish(start_on_slurm(project, "odd", "--retries", "0", *targets), project, 1500)
    assert made(project, "*/*/first_frame.png") == set(wanted)
    assert made(project, "*/*/mask_lora/edited.mp4") == {where for where, whole in wanted.items() if whole}
    assert_nothing_was_run(project)
    jobs = submissions("odd")
    assert len(jobs) == len(pairs) + 2 * len(WORST) and all(SAFE.fullmatch(job.comment) for job in jobs), jobs
    assert {job.state for job in jobs} == {"COMPLETED"}
    for clip, edit in pairs.values():
        log = project / "results" / "logs" / clip.id / edit.id / "align_edit.log"
        title = log.read_text(encoding="utf-8").splitlines()[0]
        assert title == f"align edit: {printable(clip.name)}, {printable(edit.name)}"


@pytest.mark.parametrize("name", ["$(touch INJECTED)", "a`touch INJECTED`b", "it's"])
def test_a_results_folder_that_a_shell_would_read_is_refused(project: Path, name: str) -> None:
    """Before anything is submitted, by ./batch and by Snakemake alone; as a working directory too."""
    add_clip(project, "car", ["red"])
    run_batch(project, "start", "--slurm", "--foreground", "--configfile", "my.yaml", "--results", name, code=1)
    assert start_on_slurm(project, "refused", "--config", f"results={name}").wait(120) == 1
    inside = project.rename(project.parent / name)
    try:
        assert start_on_slurm(inside, "refused").wait(120) == 1
    finally:
        inside.rename(project)
    words = (project / "driver.log").read_text(encoding="utf-8")
    assert words.count("SLURM's jobs are submitted through a shell") >= 3 and "working directory: found" in words, words
    assert not submissions("refused") and not submissions(job_prefix(project / name))
    assert_nothing_was_run(project)
