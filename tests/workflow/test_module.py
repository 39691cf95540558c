"""The workflow as a module of another one: in its folder, under its rule names, with its own rules beside."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lib.batch.files import batch_file
from lib.core.files import read_json
from tests.conftest import ROOT
from tests.workflow.project import ENVIRONMENT, SMALL

OUTER = """
configfile: "settings.yaml"

module edit:
    snakefile: "{snakefile}"
    config: config["edit"]

use rule * from edit as edit_*

rule count_rows:
    default_target: True
    input:
        rules.edit_all.input,
        table=rules.edit_report.output.table,
    output:
        "rows.txt",
    log:
        "own.log",
    shell:
        "{command}"

onstart:
    edit.onstart()

onsuccess:
    edit.onsuccess()

onerror:
    edit.onerror()
"""
COUNT = "wc -l < {input.table} > {output}"
EDIT = "star-crossing/blue-circle/mask_lora"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workflow of somebody else, with one clip, far from the clone of this one."""
    folder = tmp_path_factory.mktemp("outer")
    shutil.copytree(ROOT / "demo" / "clips" / "star-crossing", folder / "clips" / "star-crossing")
    (folder / "settings.yaml").write_text(yaml.safe_dump({"edit": {"clips": "clips", **SMALL}}), encoding="utf-8")
    return folder


def _run(
    folder: Path, *options: str, command: str = COUNT, snakefile: str = str(ROOT / "Snakefile")
) -> subprocess.CompletedProcess[str]:
    outer = OUTER.replace("{command}", command).replace("{snakefile}", snakefile)
    (folder / "Snakefile").write_text(outer, encoding="utf-8")
    words = [sys.executable, "-m", "snakemake", "--cores", "2", *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.run(words, cwd=folder, env=ENVIRONMENT, text=True, timeout=900, **pipes)


def test_another_workflow_edits_a_batch_and_goes_on_from_it(folder: Path) -> None:
    """Its own rule reads what ours made, nothing is made twice, and status and report know of the run."""
    answer = _run(folder)
    assert answer.returncode == 0, answer.stdout
    assert (folder / "rows.txt").read_text().strip() == "4"
    assert (folder / "results" / EDIT / "edited.mp4").stat().st_size > 0
    assert "Report: " in answer.stdout
    assert read_json(batch_file(folder / "results", "plan.json"))["to_do"] == [EDIT.split("/")]
    assert "Nothing to be done" in _run(folder, "--dry-run").stdout


def test_a_rule_of_the_other_workflow_that_fails_is_none_of_ours(folder: Path) -> None:
    """No failure file is written beside the log of another's rule."""
    answer = _run(folder, "--forcerun", "count_rows", "--until", "count_rows", command="false")
    assert answer.returncode == 1 and "Error in rule count_rows" in answer.stdout, answer.stdout
    assert list(folder.glob("*failure*")) == []


def test_a_module_read_from_git_is_refused_with_what_to_do(folder: Path) -> None:
    """lib/ is not fetched along with a Snakefile: the message says to clone."""
    repository = folder / "repository"
    shutil.copytree(ROOT / "workflow", repository / "workflow")
    shutil.copy2(ROOT / "Snakefile", repository)
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost"]
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "copy"]):
        subprocess.run([*git, *words], cwd=repository, check=True)
    answer = _run(folder, "--dry-run", snakefile=f"git+file://{repository}/Snakefile@HEAD")
    assert answer.returncode == 1
    assert "expected a clone on this machine" in answer.stdout
