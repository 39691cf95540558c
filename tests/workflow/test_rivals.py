"""A model of others edits the same clips: nothing is trained for it, and it is measured as ours is."""

import csv
import shutil
from pathlib import Path

import pytest

from lib.core.files import file_hash, read_json
from lib.video.reading import read_video
from tests.lib.rivals.tiny_vace import save_vace
from tests.workflow.finished_runs import CLIP, EDIT, NUM_STEPS, OTHER_CLIP
from tests.workflow.project import planned_jobs, run_snakemake, write_settings

VACE = {"name": "weights/vace", "num_steps": 2, "guidance": 2}
SETTINGS = {"clips": "clips", "training": {"decouple_steps": NUM_STEPS}, "methods": ["mask_lora", "vace"]}


@pytest.fixture(scope="module")
def compared(two_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished batch to which the method is added."""
    project = shutil.copytree(two_clips, tmp_path_factory.mktemp("rivals") / "batch", symlinks=True)
    assert planned_jobs(project) == {}, "the batch is finished without it"
    save_vace(project / "weights" / "vace")
    write_settings(project, {**SETTINGS, "vace": VACE})
    before = {path: file_hash(path) for path in (project / "results").rglob("mask_lora/edited.mkv")}
    assert planned_jobs(project) == {"generate_vace": 2, "evaluate": 2, "report": 1}
    answer = run_snakemake(project, "--cores", "2")
    assert answer.returncode == 0, answer.stdout
    assert {path: file_hash(path) for path in before} == before and len(before) == 2
    return project


def test_it_stands_beside_ours(compared: Path) -> None:
    """A video of the clip's length and size, with what made it; and rows in metrics.csv."""
    for clip, edit in ((CLIP, EDIT), (OTHER_CLIP, "white-cross")):
        folder = compared / "results" / clip / edit
        ours, theirs = (read_video(folder / method / "edited.mkv") for method in ("mask_lora", "vace"))
        assert ours.shape == theirs.shape and (ours != theirs).any()
        made = read_json(folder / "vace" / "edited.json")
        assert made["settings"]["vace"]["num_steps"] == 2 and made["settings"]["prompt"]
    with (compared / "results" / "metrics.csv").open(encoding="utf-8", newline="") as table:
        rows = [(row["clip"], row["method"]) for row in csv.DictReader(table) if row["row"] == "edited"]
    assert sorted(rows) == sorted((clip, method) for clip in (CLIP, OTHER_CLIP) for method in ("mask_lora", "vace"))
    assert planned_jobs(compared) == {}


def test_what_it_depends_on(compared: Path) -> None:
    """Its own settings and weights, not those of our model's sampling."""
    remade = {"generate_vace": 2, "evaluate": 2, "report": 1}
    write_settings(compared, {**SETTINGS, "vace": {**VACE, "shift": 5}})
    assert planned_jobs(compared) == remade
    write_settings(compared, {**SETTINGS, "vace": VACE, "sampling": {"num_steps": 3}})
    assert planned_jobs(compared) == {"generate": 2, "evaluate": 2, "report": 1}
    write_settings(compared, {**SETTINGS, "vace": VACE})
    weights = compared / "weights" / "vace" / "transformer" / "diffusion_pytorch_model.safetensors"
    old = weights.read_bytes()
    weights.write_bytes(old[:-4] + b"\0\0\0\0")
    assert planned_jobs(compared) == remade
    weights.write_bytes(old)


def test_a_missing_or_foreign_model_is_told_before_any_job(compared: Path) -> None:
    """With what would be right."""
    for name in (None, "weights/none", "demo/models/wan2.1-i2v-tiny"):
        write_settings(compared, {**SETTINGS, "vace": {**VACE, "name": name}})
        answer = run_snakemake(compared, "-n")
        assert answer.returncode != 0 and "Nothing was started" in answer.stdout and "vace.name" in answer.stdout
    assert "WanImageToVideoPipeline" in answer.stdout
    write_settings(compared, {**SETTINGS, "vace": VACE})


def test_contextflow_edits_with_the_runs_own_model(compared: Path) -> None:
    """No LoRA, no mask: its settings and the model's weights alone are what it depends on."""
    quick = {"num_steps": 2, "guidance": 2}
    settings = {**SETTINGS, "vace": VACE, "methods": ["mask_lora", "vace", "contextflow"], "contextflow": quick}
    write_settings(compared, settings)
    remade = {"generate_contextflow": 2, "evaluate": 2, "report": 1}
    assert planned_jobs(compared) == remade
    answer = run_snakemake(compared, "--cores", "2")
    assert answer.returncode == 0, answer.stdout
    folder = compared / "results" / CLIP / EDIT
    ours, theirs = (read_video(folder / method / "edited.mkv") for method in ("mask_lora", "contextflow"))
    assert ours.shape == theirs.shape and (ours != theirs).any()
    assert read_json(folder / "contextflow" / "edited.json")["settings"]["contextflow"]["num_steps"] == 2
    assert planned_jobs(compared) == {}
    write_settings(compared, {**settings, "contextflow": {**quick, "blocks": [1]}})
    assert planned_jobs(compared) == remade
    write_settings(compared, {**settings, "vace": {**VACE, "shift": 5}})
    assert "generate_contextflow" not in planned_jobs(compared)
