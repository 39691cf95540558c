"""Whole runs of the HunyuanVideo families, on tiny random weights: from a clip to its edited video and the report."""

from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.lib.models.hunyuan_video.checkpoint import checkpoint
from tests.lib.models.hunyuan_video_15.checkpoint import checkpoint as checkpoint_15
from tests.workflow.project import planned_jobs, run_snakemake, write_settings
from tests.workflow.test_models import SETTINGS, only, project_of


@pytest.mark.parametrize(
    ("family", "form", "latents"),
    [
        ("hunyuan_video", "latent_concat", (1, 16, 4, 12, 20)),
        ("hunyuan_video", "token_replace", (1, 16, 4, 12, 20)),
        ("hunyuan_video_15", "", (1, 32, 4, 6, 10)),
    ],
)
def test_from_a_clip_to_its_video(tmp_path: Path, family: str, form: str, latents: tuple[int, ...]) -> None:
    """Both stages are trained, the edit is generated and measured, and nothing is left to do."""
    project = project_of(tmp_path, lambda folder: checkpoint(folder, form) if form else checkpoint_15(folder))
    write_settings(project, {**SETTINGS, "model": {"name": "model", "family": family, "device": "cpu"}})
    answer = run_snakemake(project, "--cores", "1")
    assert answer.returncode == 0, answer.stdout
    assert load_file(only(project, "*/encoded/edit.safetensors"))["source/latents"].shape == latents
    for stage in ("*/lora/*/decouple", "*/*/lora/*/appearance"):
        lora = only(project, f"{stage}.safetensors")
        assert {name.partition(".")[0] for name in load_file(lora)} == {"transformer"}
        assert len(lora.with_suffix(".jsonl").read_text("utf-8").splitlines()) == 3
    assert only(project, "*/*/mask_lora/edited.mp4").stat().st_size > 0
    assert (project / "results" / "report" / "index.html").exists() and planned_jobs(project) == {}


def test_a_folder_of_another_family_is_refused(tmp_path: Path) -> None:
    """Before any job, and the message says which family runs it."""
    project = project_of(tmp_path, checkpoint_15)
    write_settings(project, {**SETTINGS, "model": {"name": "model", "family": "hunyuan_video", "device": "cpu"}})
    answer = run_snakemake(project, "--dry-run")
    assert answer.returncode != 0 and "or model.family: hunyuan_video_15" in " ".join(answer.stdout.split())
