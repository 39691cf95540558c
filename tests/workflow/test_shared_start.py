"""A LoRA that all clips start from: trained once, kept for clips that come later, or given by an earlier run."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from lib.inputs.shared_lora import MASK, MODEL, read_facts
from tests.workflow.finished_runs import CLIP, EDIT, OTHER_CLIP, copy_without
from tests.workflow.project import planned_jobs, run_snakemake, write_settings
from tests.workflow.test_batch import batch

UNTRAINED = ("*/lora", "*/*/mask_lora", "report", "metrics.csv", "logs/*/*/mask_lora", "benchmarks/*/*/mask_lora")
SHARED = {"clips": 4, "samples_per_clip": 2, "steps": 4, "samples_per_step": 2, "clip_steps": 2, "held_out_clips": 1}
SETTINGS = {
    "clips": "clips",
    "methods": ["mask_lora", "shared_lora_only"],
    "training": {"shared": "batch"},
    "shared": SHARED,
}


@pytest.fixture
def project(two_clips: Path, tmp_path: Path) -> Path:
    """Two clips, done up to their training."""
    project = copy_without(two_clips, tmp_path / "batch", *UNTRAINED)
    write_settings(project, SETTINGS)
    return project


def _log(project: Path, *names: str) -> str:
    return project.joinpath("results", "logs", *names).read_text(encoding="utf-8")


def test_it_is_trained_once_and_serves_clips_that_come_later(project: Path) -> None:
    """Two clips train it and start from it; a third comes later: it starts from the same file, which stays as it is."""
    jobs = planned_jobs(project)
    assert (jobs["encode_shared"], jobs["train_shared"], jobs["train_lora_decouple"]) == (2, 1, 2)
    answer = run_snakemake(project, "--cores", "2")
    assert answer.returncode == 0, answer.stdout
    shared = project / "results" / "shared" / "edit.safetensors"
    assert "starts from results/shared/edit.safetensors" in _log(project, CLIP, "train_lora_decouple.edit.log")
    own = sum(tensor.numel() for name, tensor in load_file(shared).items() if ".attn1." in name)
    assert f"training {own:,} LoRA parameters" in _log(project, CLIP, "train_lora_decouple.edit.log"), (
        "some layers only"
    )
    made = json.loads((project / "results" / CLIP / EDIT / "shared_lora_only" / "edited.json").read_text())
    assert str(shared.relative_to(project)) in made["inputs"]
    assert read_facts(shared)[MASK] == "edit" and read_facts(shared)[MODEL]
    curve = [json.loads(line) for line in shared.with_suffix(".jsonl").read_text().splitlines()]
    assert [row["step"] for row in curve] == [1, 2, 3, 4] and all(len(row["samples"]) == 2 for row in curve)

    content, planned = shared.read_bytes(), planned_jobs(project)
    assert planned == {}, "nothing is left"
    shutil.copytree(project / "clips" / CLIP, project / "clips" / "later")
    jobs = planned_jobs(project)
    assert jobs["train_lora_decouple"] == 1 and not {"train_shared", "encode_shared"} & jobs.keys()
    assert run_snakemake(project, "--cores", "2").returncode == 0
    assert shared.read_bytes() == content
    assert "starts from results/shared/edit.safetensors" in _log(project, "later", "train_lora_decouple.edit.log")

    write_settings(project, {**SETTINGS, "shared": {**SHARED, "steps": 5}})
    assert planned_jobs(project)["train_shared"] == 1, "another training is another LoRA"
    write_settings(project, {**SETTINGS, "shared": {**SHARED, "clip_steps": 0}})
    assert "train_lora_decouple" not in planned_jobs(project), "no steps: clips take it as it is"


def test_a_clip_that_failed_does_not_hold_it_up(project: Path) -> None:
    """The samples of one clip cannot be made: ./batch trains the shared LoRA on the other alone, and makes that one."""
    frames = project / "results" / OTHER_CLIP / "source_video.mkv"
    changed = frames.stat()
    frames.write_bytes(frames.read_bytes()[:200])
    os.utime(frames, ns=(changed.st_atime_ns, changed.st_mtime_ns))
    (project / ".venv").symlink_to(sys.prefix)
    answer = batch(project, "start", "--configfile", "my.yaml", "--foreground", "--", "--cores", "2")
    assert answer.returncode != 0 and "2 clips are left to plan" in answer.stdout, answer.stdout
    shared = json.loads((project / "results" / "shared" / "edit.json").read_text())
    assert list(shared["inputs"]) == [f"results/{CLIP}/encoded/shared_edit.safetensors"]
    assert (project / "results" / CLIP / EDIT / "mask_lora" / "edited.mp4").exists()
