"""What is replaced in Snakemake and its SLURM plugin: with the versions it was tested in, and with no others."""

import shutil
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.workflow.project import copy_project, run_snakemake, write_settings

PATCHES = Path("workflow") / "rules" / "snakemake.smk"
PACKAGES = ("snakemake", "snakemake-executor-plugin-slurm")
SHOW = """
from snakemake_executor_plugin_slurm import query_job_status

print("parse_uri is cached:", hasattr(snakemake.sourcecache.parse_uri, "cache_info"))
print("timer:", snakemake.scheduling.job_scheduler.JobScheduler._schedule_reevalutation.__name__)
print("local job:", snakemake.executors.local.Executor.run_job.__name__)
print("states from:", query_job_status.__module__)
print("jobs wait for:", snakemake.jobs.Job.get_wait_for_files.__name__)
print("groups wait for:", snakemake.jobs.GroupJob.get_wait_for_files.__name__)
print("groups have a rule:", hasattr(snakemake.jobs.GroupJob, "rule"))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one clip that shows what was replaced."""
    copy_project(tmp_path)
    shutil.copytree(ROOT / "demo" / "clips" / "star-crossing", tmp_path / "clips" / "star-crossing")
    write_settings(tmp_path, {"clips": "clips"})
    with (tmp_path / "Snakefile").open("a") as snakefile:
        snakefile.write(SHOW)
    return tmp_path


def test_the_installed_versions_are_those_that_the_patches_were_tested_with(project: Path) -> None:
    """After an upgrade: read each patch beside the new source, run the SLURM tests, then widen or drop it."""
    answer = run_snakemake(project, "--dry-run", "--quiet")
    assert answer.returncode == 0 and "is left as it is" not in answer.stdout, answer.stdout
    for line in (
        "parse_uri is cached: True",
        "timer: look_again",
        "local job: run_or_fail",
        "jobs wait for: job_waits",
    ):
        assert line in answer.stdout
    assert "groups wait for: group_waits" in answer.stdout
    assert "states from: snakemake_executor_plugin_slurm" not in answer.stdout
    assert "groups have a rule: True" in answer.stdout


def test_a_snakemake_that_is_too_old_is_told_so(project: Path) -> None:
    """The last one without what the rules' paths and the profiles use gets a sentence, and no error from in between."""
    snakefile = project / "Snakefile"
    older = 'import snakemake.common\n\nsnakemake.common.__version__ = "9.11.9"\n'
    snakefile.write_text(older + snakefile.read_text())
    answer = run_snakemake(project, "--dry-run", "--quiet")
    assert answer.returncode == 1 and "Expecting Snakemake version 9.19 or higher" in answer.stdout, answer.stdout


def test_other_versions_are_left_as_they_are_and_the_user_is_told(project: Path) -> None:
    """Each patch that is missing is named once, with what that means; the run goes on without it."""
    patches = (project / PATCHES).read_text()
    for first, end in (('"9.27"', '"9.28"'), ('"2.8"', '"2.9"')):
        assert f"({first}, {end})" in patches
        patches = patches.replace(f"({first}, {end})", '("1.0", "1.1")')
    (project / PATCHES).write_text(patches)
    answer = run_snakemake(project, "--cores", "1", "results/star-crossing/blue-circle/first_frame.png")
    assert answer.returncode == 0, answer.stdout
    said = [line for line in answer.stdout.splitlines() if "is left as it is (tested: 1.0 to below 1.1): " in line]
    assert len(said) == len(set(said)) == 6
    assert {line.split(" is left")[0] for line in said} == {f"{package} {version(package)}" for package in PACKAGES}
    for line in (
        "parse_uri is cached: False",
        "timer: _schedule_reevalutation",
        "local job: run_job",
        "jobs wait for: get_wait",
    ):
        assert line in answer.stdout
    assert "states from: snakemake_executor_plugin_slurm" in answer.stdout
    assert "groups have a rule: False" in answer.stdout
