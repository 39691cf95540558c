"""A denoiser's weights in a file of their own: the same weights make the same video, others make it anew."""

import shutil
from pathlib import Path

from lib.core.files import file_hash
from tests.conftest import ROOT
from tests.lib.models.wan.gguf_files import save_gguf
from tests.lib.models.wan.single_files import save_original, weights_of
from tests.workflow.finished_runs import NUM_STEPS
from tests.workflow.project import planned_jobs, run_snakemake, write_settings

BASE = {"clips": "clips", "training": {"decouple_steps": NUM_STEPS}}
REMADE = {"train_lora_decouple": 2, "generate": 2, "evaluate": 2, "report": 1}


def test_a_batch_with_its_denoiser_in_a_file(two_clips: Path, tmp_path: Path) -> None:
    """What the denoiser makes is made anew and comes out the same; a changed file counts; a wrong one is refused."""
    project = shutil.copytree(two_clips, tmp_path / "batch", symlinks=True)
    assert planned_jobs(project) == {}, "the batch is finished without it"
    weights = weights_of(ROOT / "demo/models/wan2.1-i2v-tiny/transformer")
    save_original(weights, project / "wan.safetensors", "model.diffusion_model.")
    settings = {**BASE, "model": {"device": "cpu", "transformer_files": ["wan.safetensors"]}}
    write_settings(project, settings)
    before = {path: file_hash(path) for path in (project / "results").rglob("mask_lora/edited.mkv")}
    assert planned_jobs(project) == REMADE
    answer = run_snakemake(project, "--cores", "2")
    assert answer.returncode == 0, answer.stdout
    assert {path: file_hash(path) for path in before} == before and len(before) == 2
    (log, _) = (project / "results" / "logs").glob("*/*/mask_lora/generate.log")
    assert "wan.safetensors" in log.read_text("utf-8") and planned_jobs(project) == {}

    weights["blocks.0.ffn.net.2.bias"] += 0.01
    save_original(weights, project / "wan.safetensors", "model.diffusion_model.")
    assert planned_jobs(project) == REMADE
    del weights["blocks.0.attn2.to_q.weight"]
    save_original(weights, project / "wan.safetensors")
    answer = run_snakemake(project, "--dry-run")
    assert answer.returncode != 0 and "Nothing was started" in answer.stdout
    assert "no blocks.0.cross_attn.q.weight" in " ".join(answer.stdout.split())


def test_a_batch_with_its_denoiser_in_a_gguf_file(two_clips: Path, tmp_path: Path) -> None:
    """Trained on and generated with, widened and then packed: the same video from both; a cut file is refused."""
    project = shutil.copytree(two_clips, tmp_path / "batch", symlinks=True)
    kinds = {"attn1.to_q": "Q4_0", "ffn.net.2": "Q8_0", "attn2.to_v": "F16", "ffn.net.0.proj": "Q5_1"}
    weights = weights_of(ROOT / "demo/models/wan2.1-i2v-tiny/transformer")
    save_gguf(weights, project / "wan.gguf", kinds)
    model = {"device": "cpu", "transformer_files": ["wan.gguf"]}
    videos = sorted((project / "results").rglob("mask_lora/edited.mkv"))
    made = [{path: file_hash(path) for path in videos}]
    for store in ("native", "gguf"):
        write_settings(project, {**BASE, "model": {**model, "weights": store}})
        assert planned_jobs(project) == REMADE
        answer = run_snakemake(project, "--cores", "2")
        assert answer.returncode == 0, answer.stdout
        made.append({path: file_hash(path) for path in videos})
        (log, _) = (project / "results" / "logs").glob("*/*/mask_lora/generate.log")
        assert "wan.gguf" in log.read_text("utf-8") and f"weights='{store}'" in log.read_text("utf-8")
    assert made[1] == made[2] and not made[0].items() & made[1].items() and len(videos) == 2

    (project / "wan.gguf").write_bytes((project / "wan.gguf").read_bytes()[:-1000])
    answer = run_snakemake(project, "--dry-run")
    assert answer.returncode != 0 and "Nothing was started" in answer.stdout
    assert "bytes, as its header says" in " ".join(answer.stdout.split())
