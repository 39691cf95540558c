"""Further scores are measured on the edited videos that are there; one that is added measures itself alone."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lib.core.files import file_hash, read_json
from lib.scores.deqa.convert import convert as convert_deqa
from tests.lib.scores.test_perceptual import draw_weights
from tests.lib.scores.tiny_deqa import write_published
from tests.workflow.finished_runs import CLIP, EDIT, NUM_STEPS, OTHER_CLIP
from tests.workflow.project import planned_jobs, run_snakemake, write_settings

CLIP_MODEL = "demo/models/clip-tiny"
BASE = {"clips": "clips", "training": {"decouple_steps": NUM_STEPS}}
VIDEOS = {(CLIP, EDIT), (OTHER_CLIP, "white-cross")}
SCORED = {"text_alignment": CLIP_MODEL, "lpips": "weights/lpips.safetensors", "deqa": "weights/deqa"}


@pytest.fixture(scope="module")
def scored(two_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished batch to which three scores are added, by weights of the real networks' names and small sizes."""
    project = shutil.copytree(two_clips, tmp_path_factory.mktemp("scores") / "batch", symlinks=True)
    assert planned_jobs(project) == {}, "the batch is finished without them"
    (project / "weights").mkdir()
    save_file(draw_weights("lpips"), project / "weights" / "lpips.safetensors")
    write_published(project / "published")
    convert_deqa(project / "published", project / "weights" / "deqa", torch.float32)
    before = {path: file_hash(path) for path in (project / "results").rglob("edited.mkv")}
    write_settings(project, {**BASE, "scores": SCORED})
    assert planned_jobs(project) == {"score": len(SCORED) * len(VIDEOS), "report": 1}
    answer = run_snakemake(project, "--cores", "2")
    assert answer.returncode == 0, answer.stdout
    assert {path: file_hash(path) for path in before} == before, "the videos are those that were there"
    return project


def test_scores_stand_beside_the_metrics(scored: Path) -> None:
    """In metrics.csv and on the page; a score of the background for the VAE's round trip too."""
    with (scored / "results" / "metrics.csv").open(encoding="utf-8", newline="") as table:
        rows = {(row["clip"], row["edit"], row["row"]): row for row in csv.DictReader(table)}
    for clip, edit in VIDEOS:
        edited, ceiling = rows[clip, edit, "edited"], rows[clip, edit, "vae_round_trip"]
        assert all(np.isfinite(float(edited[name])) for name in ("background_psnr", *SCORED))
        assert 1 <= float(edited["deqa"]) <= 5 and float(edited["lpips"]) > 0
        assert float(ceiling["lpips"]) > 0 and not ceiling["deqa"]
    score = read_json(scored / "results" / CLIP / EDIT / "mask_lora" / "scores" / "deqa.json")
    values = score["rows"]["edited"]["per_frame"]["deqa"]
    assert len(values) == 5 and score["rows"]["edited"]["mean"]["deqa"] == pytest.approx(np.mean(values))
    assert score["provenance"]["settings"]["weights"] == SCORED["deqa"]
    parts = "".join(path.read_text(encoding="utf-8") for path in (scored / "results" / "report").rglob("*.js"))
    assert "DeQA-Score" in (scored / "results" / "report" / "index.html").read_text(encoding="utf-8") + parts
    assert planned_jobs(scored) == {}


def test_new_weights_measure_their_own_score_again(scored: Path) -> None:
    """And nothing else; one that is switched off leaves all others as they are."""
    path = scored / "weights" / "lpips.safetensors"
    old = path.read_bytes()
    weights = load_file(path)
    save_file({name: 2 * weight for name, weight in weights.items()}, path)
    assert planned_jobs(scored) == {"score": len(VIDEOS), "report": 1}
    path.write_bytes(old)
    write_settings(scored, {**BASE, "scores": SCORED, "metrics": {"background_dilation": 5}})
    assert planned_jobs(scored) == {"evaluate": 2, "score": 2, "report": 1}, "LPIPS's alone, which leave out the mask"
    write_settings(scored, {**BASE, "scores": {name: SCORED[name] for name in ("lpips", "deqa")}})
    assert set(planned_jobs(scored)) <= {"report"}
    write_settings(scored, {**BASE, "scores": SCORED})


def test_weights_that_are_not_there_are_told_before_any_job(scored: Path) -> None:
    """All at once, each with its key."""
    wrong = {"deqa": "weights", "lpips": "weights/none.safetensors", "dists": "weights", "dino": "no/such/model"}
    write_settings(scored, {**BASE, "scores": wrong})
    answer = run_snakemake(scored, "-n")
    assert answer.returncode != 0 and "Nothing was started" in answer.stdout
    assert all(f"scores.{name}" in answer.stdout for name in wrong), answer.stdout
    write_settings(scored, {**BASE, "scores": SCORED})
