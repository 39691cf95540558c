"""Whole runs of Wan2.2, on tiny random weights: from a clip to its edited video and the report."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.conftest import ROOT
from tests.lib.models.wan.relatives import write_a14b, write_ti2v
from tests.workflow.project import copy_project, planned_jobs, run_snakemake, write_settings

CLIP, EDIT = "вечер", "purple-to-orange"  # an edit with a reference: both stages of training
VIDEO = {"num_frames": 13, "width": 160, "height": 96}
SETTINGS = {
    "clips": "clips",
    "video": VIDEO,
    "caption": {"model": "demo/models/florence-2-tiny"},
    "mask": {"detector": "demo/models/yolo11-tiny"},
    "metrics": {"clip_model": "demo/models/clip-tiny"},
}


def project_of(folder: Path, write: Callable[[Path], Path]) -> Path:
    """Make a project of one clip and one edit, with a model folder beside it."""
    project = copy_project(folder)
    shutil.copytree(ROOT / "demo" / "clips" / CLIP, project / "clips" / CLIP)
    for edit in (project / "clips" / CLIP / "edits").iterdir():
        if edit.name != EDIT:
            shutil.rmtree(edit)
    write(project / "model")
    return project


def only(project: Path, pattern: str) -> Path:
    """Return the one file of the results that fits."""
    (path,) = (project / "results").glob(pattern)
    return path


def test_two_experts_from_a_clip_to_its_video(tmp_path: Path) -> None:
    """Both are trained, in both stages; what tells their noise levels counts as they do; one alone is another LoRA."""
    project = project_of(tmp_path, write_a14b)
    write_settings(project, {**SETTINGS, "model": {"name": "model", "family": "wan22", "device": "cpu"}})
    answer = run_snakemake(project, "--cores", "1")
    assert answer.returncode == 0, answer.stdout
    for stage in ("*/lora/*/decouple", "*/*/lora/*/appearance"):
        lora = only(project, f"{stage}.safetensors")
        assert {name.partition(".")[0] for name in load_file(lora)} == {"transformer", "transformer_2"}
        made = json.loads(only(project, f"{stage}.json").read_text("utf-8"))
        parts = {"model.name", "model.name/transformer", "model.name/transformer_2"}
        assert made["settings"]["models"].keys() == parts
        assert "experts" not in made["settings"]["training"]
        assert len(lora.with_suffix(".jsonl").read_text("utf-8").splitlines()) == 6
    log = only(project, "logs/*/*/mask_lora/generate.log").read_text("utf-8")
    assert log.index("transformer, for sigma from 0.9 to 1") < log.index("transformer_2, for sigma from 0 to 0.9")
    assert (project / "results" / "report" / "index.html").exists() and planned_jobs(project) == {}

    trained = {"train_lora_decouple", "train_lora_appearance", "generate"}
    index = project / "model" / "model_index.json"
    known = index.read_text("utf-8")
    index.write_text(known.replace('"boundary_ratio": 0.9', '"boundary_ratio": 0.8'), encoding="utf-8")
    assert trained < planned_jobs(project).keys(), "the experts' noise levels are others"
    index.write_text(known, encoding="utf-8")
    assert planned_jobs(project) == {}
    model = {"name": "model", "family": "wan22", "device": "cpu"}
    write_settings(project, {**SETTINGS, "model": model, "training": {"experts": "high_noise"}})
    assert trained < planned_jobs(project).keys()


def test_times_of_tokens_from_a_clip_to_its_video(tmp_path: Path) -> None:
    """With a VAE of other strides, and sides of 32 pixels; a side that is no multiple is refused."""
    project = project_of(tmp_path, write_ti2v)
    model = {"name": "model", "family": "wan22_ti2v", "device": "cpu"}
    write_settings(project, {**SETTINGS, "model": model})
    answer = run_snakemake(project, "--cores", "1")
    assert answer.returncode == 0, answer.stdout
    encoded = load_file(only(project, "*/encoded/edit.safetensors"))
    assert encoded["source/latents"].shape == encoded["source/token_latents"].shape == (1, 48, 4, 6, 10)
    assert (project / "results" / "report" / "index.html").exists() and planned_jobs(project) == {}
    write_settings(project, {**SETTINGS, "model": model, "video": {**VIDEO, "height": 80}})
    answer = run_snakemake(project, "--dry-run")
    assert answer.returncode != 0 and "expected a multiple of 32 pixels" in answer.stdout


@pytest.mark.parametrize(
    ("family", "found", "expected"),
    [
        ("wan", "without image_encoder, without image_processor, with boundary_ratio", "or model.family: wan22"),
        ("wan22_ti2v", "with transformer_2", "or model.family: wan22"),
    ],
)
def test_a_folder_of_another_family_is_refused(tmp_path: Path, family: str, found: str, expected: str) -> None:
    """Before any job, and the message says which family runs it."""
    project = project_of(tmp_path, write_a14b)
    write_settings(project, {**SETTINGS, "model": {"name": "model", "family": family, "device": "cpu"}})
    answer = run_snakemake(project, "--dry-run")
    said = " ".join(answer.stdout.split())
    assert answer.returncode != 0 and found in said and expected in said
