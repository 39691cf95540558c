"""What a user can do wrong, told before any work, all at once, while the good clips go on."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.workflow.project import copy_project, planned_jobs, run_snakemake, write_settings

GOOD = ROOT / "demo" / "clips" / "star-crossing"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one good clip, called good."""
    copy_project(tmp_path)
    shutil.copytree(GOOD, tmp_path / "clips" / "good")
    write_settings(tmp_path, {"clips": "clips"})
    return tmp_path


def test_all_problems_at_once_while_good_clips_go_on(project: Path) -> None:
    """Five broken clips are named with what is wrong; the plan holds the good one alone."""
    clips = project / "clips"
    for name in ("no video", "two videos", "cut off", "wrong size", "bad reference"):
        shutil.copytree(GOOD, clips / name)
    (clips / "no video" / "source.mp4").unlink()
    shutil.copy(GOOD / "source.mp4", clips / "two videos" / "source.mkv")
    (clips / "cut off" / "source.mp4").write_bytes((GOOD / "source.mp4").read_bytes()[:4000])
    square = Image.fromarray(np.zeros((96, 96, 3), np.uint8))
    square.save(clips / "wrong size" / "edits" / "blue-circle" / "first_frame.png")
    reference = clips / "bad reference" / "edits" / "blue-circle" / "references" / "00999.png"
    reference.parent.mkdir()
    shutil.copy(GOOD / "edits" / "blue-circle" / "first_frame.png", reference)

    answer = run_snakemake(project, "--dry-run", "--quiet", "rules")
    assert answer.returncode == 0, answer.stdout
    for name in ("no video", "two videos", "cut off", "wrong size", "bad reference"):
        lines = [line for line in answer.stdout.splitlines() if f"clip '{name}'" in line]
        assert lines, name
        assert all("found" in line and "expected" in line for line in lines), lines
    jobs = planned_jobs(project)
    assert jobs["extract_frames"] == 1 and jobs["generate"] == 1


def test_nothing_starts_when_no_clip_is_good(project: Path) -> None:
    """With every clip broken the run ends at once, with the list and without a traceback."""
    (project / "clips" / "good" / "edits" / "blue-circle" / "first_frame.png").unlink()
    answer = run_snakemake(project, "--cores", "1")
    assert answer.returncode == 1
    assert "Nothing was started" in answer.stdout and "clip 'good', edit 'blue-circle'" in answer.stdout
    assert "Traceback" not in answer.stdout
    assert not (project / "results" / "good").exists()


def test_wrong_settings_and_missing_models_are_told_before_any_work(project: Path) -> None:
    """A missing model folder, an unreachable hub id and a missing detector are listed together."""
    models = {
        "model": {"name": "models/of-mine"},
        "caption": {"model": "florence-community/Florence-2-large"},
        "mask": {"detector": "yolo11x.pt"},
    }
    write_settings(project, {"clips": "clips", **models})
    answer = run_snakemake(project, "--cores", "1")
    assert answer.returncode == 1
    for message in (
        "model.name: found 'models/of-mine', which",
        "caption.model: found 'florence-community/Florence-2-large'",
        "hf download florence-community/Florence-2-large",
        "mask.detector: found 'yolo11x.pt', which does not exist",
    ):
        assert message in answer.stdout, answer.stdout


def test_preset_without_its_checkpoint_says_how_to_get_it(project: Path) -> None:
    """Naming the 14B preset on a machine without it is a sentence, not a stack trace."""
    (project / "my.yaml").write_text("clips: clips\nmodel: {name: wan2.1-i2v-14b-480p}\nvideo: {num_frames: 17}\n")
    answer = run_snakemake(project, "--cores", "1")
    assert answer.returncode == 1
    assert "hf download Wan-AI/Wan2.1-I2V-14B-480P-Diffusers" in answer.stdout
    assert "Traceback" not in answer.stdout


def test_unknown_key_suggests_the_nearest(project: Path) -> None:
    """A typing error in a key costs seconds."""
    write_settings(project, {"clips": "clips", "sampling": {"sede": 1}})
    answer = run_snakemake(project, "--cores", "1")
    assert answer.returncode == 1
    assert "sampling.sede: found an unknown key; expected 'seed'" in answer.stdout


def test_too_little_disk_is_told_before_any_work(project: Path) -> None:
    """A run that cannot fit is refused with what is free and what is needed."""
    write_settings(project, {"clips": "clips", "min_free_disk": 10_000_000})
    answer = run_snakemake(project, "--cores", "1")
    assert answer.returncode == 1
    assert "GiB of free disk; expected" in answer.stdout
