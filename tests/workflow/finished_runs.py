"""Batches that are run once for all tests, and what is made of copies of them.

A test that wants one stage to go wrong starts from a copy in which all stages before it are done.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from lib.inputs.ids import OF_CLIPS, make_ids
from tests.conftest import ROOT
from tests.filmed_clips import FilmedClip, speaker, write_filmed_clip
from tests.workflow.project import copy_project, run_snakemake, write_settings

CLIP, EDIT, OTHER_CLIP = "star-crossing", "blue-circle", "portrait-drop"
NUM_STEPS = 120  # of the first stage: long enough to be interrupted after its first saved state
LORA = f"results/{CLIP}/lora/edit/decouple.safetensors"
STATE = f"results/{CLIP}/lora/edit/.decouple.state.safetensors"
LOG = f"results/logs/{CLIP}/train_lora_decouple.edit.log"
MADE_LATE = ("*/lora", "*/*/mask_lora", "report", "metrics.csv", "logs/*/train*", "logs/*/*/mask_lora")
"""What stages from the training on made, below results/: without it a copy is a batch that is yet to be trained."""
EVERYTHING = ("*", ".*")

SPEAKER = "вечер"  # a name that is not Latin
TURNING = "turning square"  # a space, and two edits
SPEAKER_ID, TURNING_ID = make_ids([SPEAKER, TURNING], OF_CLIPS)
NUM_FRAMES = 13  # so that the speaker's reference, frame 12, is one of them
FINAL = ("*/*/*/edited.mp4", "*/lora/*/*.safetensors", "*/*/lora/*/*.safetensors")


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that the first process of the session to ask for it fills; the others wait for that."""
    own = factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder, made = shared / name, shared / f"{name}.made"
    with FileLock(shared / f"{name}.lock"):
        if not made.exists():
            assert not folder.exists(), f"{name} failed in a test before this one: look there"
            folder.mkdir()
            make(folder)
            made.touch()
    return folder


def run_two_clips(project: Path) -> None:
    """Edit two demo clips, one with sound and one upright, with a training of some length."""
    copy_project(project)
    for clip in (CLIP, OTHER_CLIP):
        shutil.copytree(ROOT / "demo" / "clips" / clip, project / "clips" / clip)
    write_settings(project, {"clips": "clips", "training": {"decouple_steps": NUM_STEPS}})
    _run_to_its_end(project)


def run_three_edits(project: Path) -> None:
    """Edit a filmed clip that has a reference, and a demo clip in two ways."""
    copy_project(project)
    write_filmed_clip(filmed_speaker(), project / "clips", SPEAKER)
    shutil.copytree(ROOT / "demo" / "clips" / TURNING, project / "clips" / TURNING)
    write_settings(project, {"clips": "clips", "video": {"num_frames": NUM_FRAMES}})
    _run_to_its_end(project)


def filmed_speaker() -> FilmedClip:
    """The speaker, with a reference in the last frame that is used."""
    return speaker(NUM_FRAMES + 4, reference=NUM_FRAMES - 1)


def _run_to_its_end(project: Path) -> None:
    answer = run_snakemake(project, "--cores", "2")
    assert answer.returncode == 0, answer.stdout
    assert "Report: " in answer.stdout


def copy_without(project: Path, folder: Path, *patterns: str) -> Path:
    """Copy a finished batch, but for some of its results."""
    shutil.copytree(project, folder, symlinks=True)
    for pattern in patterns:
        for path in (folder / "results").glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return folder


def untrained_clip(two_clips: Path, folder: Path) -> Path:
    """Copy what was done before the training, for the one clip with sound."""
    project = copy_without(two_clips, folder, *MADE_LATE, OTHER_CLIP, f"*/{OTHER_CLIP}")
    shutil.rmtree(project / "clips" / OTHER_CLIP)
    return project


def finals(project: Path) -> dict[str, str]:
    """Return what a batch is for, by path: hashes of videos and LoRAs, and the metrics themselves."""
    results = project / "results"
    found = {path: hashlib.sha256(path.read_bytes()).hexdigest() for part in FINAL for path in results.glob(part)}
    for path in results.glob("*/*/*/metrics.json"):
        known = json.loads(path.read_text())
        found[path] = json.dumps({key: value for key, value in known.items() if key != "provenance"})
    visible = {path: content for path, content in found.items() if not path.name.startswith(".")}
    return {str(path.relative_to(results)): content for path, content in visible.items()}
