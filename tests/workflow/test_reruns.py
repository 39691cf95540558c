"""A finished batch, and what a change to its settings, inputs or code makes it do again."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from diffusers import WanImageToVideoPipeline
from safetensors.torch import load_file

from lib.core.files import file_hash
from tests.conftest import ROOT
from tests.workflow.finished_runs import NUM_FRAMES, SPEAKER, TURNING, TURNING_ID, copy_without, filmed_speaker
from tests.workflow.project import ENVIRONMENT, planned_jobs, run_snakemake, write_settings


@pytest.fixture(scope="module")
def finished(three_edits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the batch, for this module to change and put back; with spaces in its path."""
    return copy_without(three_edits, tmp_path_factory.mktemp("a project") / "batch")


@pytest.fixture
def batch(finished: Path) -> Iterator[Path]:
    """The finished batch with its settings, clips and code put back as they were after the test."""
    kept = {path: path.read_bytes() for path in [finished / "my.yaml", *(finished / "lib").rglob("*.py")]}
    clips = {path: path.read_bytes() for path in (finished / "clips").rglob("edit.yaml")}
    yield finished
    for path, content in {**kept, **clips}.items():
        path.write_bytes(content)
    for path in {*(finished / "clips").rglob("edit.yaml")} - set(clips):
        path.unlink()
    shutil.rmtree(finished / "clips" / "added", ignore_errors=True)


REGENERATED = {"generate": 1, "evaluate": 1, "report": 1}


STAGE_2 = {"encode_edit": 1, "train_lora_appearance": 1, **REGENERATED}
"""What a change to its samples leads to: of the edit with a reference alone."""

AFTER_MASKS = {
    "encode_source": 2,
    "encode_edit": 3,
    "train_lora_decouple": 2,
    "train_lora_appearance": 1,
    "generate": 3,
    "evaluate": 3,
    "report": 1,
}
"""What new masks of all three edits lead to."""


def _change(batch: Path, **settings: object) -> None:
    settings["video"] = {"num_frames": NUM_FRAMES, **settings.get("video", {})}
    write_settings(batch, {"clips": "clips", **settings})


def test_finished_batch_has_nothing_to_do(batch: Path) -> None:
    """A second run says so and does nothing."""
    answer = run_snakemake(batch, "--cores", "2")
    assert answer.returncode == 0
    assert "Nothing to be done" in answer.stdout


@pytest.mark.parametrize(
    ("settings", "rerun"),
    [
        ({"sampling": {"num_steps": 2, "seed": 5}}, {"generate": 3, "evaluate": 3, "report": 1}),
        ({"sampling": {"num_steps": 2, "extra_loras": [{"path": "demo/models/shared/edit.safetensors"}]}},
         {"generate": 3, "evaluate": 3, "report": 1}),
        ({"metrics": {"background_dilation": 2}}, {"evaluate": 3, "report": 1}),
        ({"report": {"title": "Mine"}}, {"report": 1}),
        ({"training": {"decouple_steps": 3, "appearance_steps": 4, "rank": 2}},
         {"train_lora_appearance": 1, "generate": 1, "evaluate": 1,
          "report": 1}),
        ({"training": {"decouple_steps": 4, "appearance_steps": 3, "rank": 2}},
         {"train_lora_decouple": 2, "train_lora_appearance": 1, "generate": 3, "evaluate": 3, "report": 1}),
        ({"training": {"sigma_shift": 2}},
         {"train_lora_decouple": 2, "train_lora_appearance": 1, "generate": 3, "evaluate": 3, "report": 1}),
        ({"training": {"recoloured_copies": 2}},
         {"encode_source": 2, "train_lora_decouple": 2, "train_lora_appearance": 1, "generate": 3,
          "evaluate": 3, "report": 1}),
        ({"methods": ["mask_lora", "base"]}, {"encode_edit": 3, "generate": 3, "evaluate": 3, "report": 1}),
        ({"training": {"reference_caption": "own"}}, {"caption_references": 1, **STAGE_2}),
        ({"training": {"reference_context": "own"}}, STAGE_2),
    ],
    ids=["sampling seed", "extra LoRAs", "metric", "title", "appearance steps", "decouple steps", "noise levels",
         "copies", "method", "captions", "pictures"],
)  # fmt: skip
def test_changed_setting_reruns_what_depends_on_it_and_nothing_else(
    batch: Path, settings: dict[str, object], rerun: dict[str, int]
) -> None:
    """Narrow params: each key reaches just the rules that use it, and what follows them."""
    _change(batch, **settings)
    assert planned_jobs(batch) == rerun


def test_copies_of_loras_are_made_of_a_finished_batch_alone(batch: Path) -> None:
    """In the format asked for, of the LoRAs that videos are made with; another format makes its own, none none."""
    made = {"export_lora_decouple": 1, "export_lora_appearance": 1}
    _change(batch, training={"lora_format": "comfyui"})
    assert planned_jobs(batch) == made
    answer = run_snakemake(batch, "--cores", "1")
    assert answer.returncode == 0, answer.stdout
    copies = {copy.name: copy for copy in (batch / "results").rglob("*.comfyui.safetensors")}
    assert copies.keys() == {"decouple.comfyui.safetensors", "appearance.comfyui.safetensors"}
    for name, copy in copies.items():
        assert all(key.startswith("diffusion_model.blocks.") for key in load_file(copy))
        ours = load_file(copy.with_name(name.replace(".comfyui", "")))
        read = WanImageToVideoPipeline.lora_state_dict(copy)
        strength = {key: 16 / 2 if "lora_B" in key else 1 for key in ours}  # alpha / rank
        assert read.keys() == ours.keys() and all(torch.equal(read[key], strength[key] * ours[key]) for key in ours)
    assert planned_jobs(batch) == {}
    _change(batch, training={"lora_format": "diffusers"})
    assert planned_jobs(batch) == made
    _change(batch)
    assert planned_jobs(batch) == {}


def test_changed_prompt_leaves_masks_and_the_clips_lora_alone(batch: Path) -> None:
    """A prompt in edit.yaml is encoded anew and generated from, for its edit only."""
    (batch / "clips" / TURNING / "edits" / "gold-ring" / "edit.yaml").write_text("prompt: a golden ring\n")
    assert planned_jobs(batch) == {"encode_edit": 1, **REGENERATED}


def test_a_users_prompt_is_that_of_references_too(batch: Path) -> None:
    """Where edit.yaml has one no reference is captioned, whatever the settings say."""
    (batch / "clips" / SPEAKER / "edits" / filmed_speaker().edit / "edit.yaml").write_text("prompt: a green tie\n")
    _change(batch, training={"reference_caption": "own"})
    assert planned_jobs(batch) == STAGE_2


@pytest.mark.parametrize(
    ("line", "rerun"),
    [
        ("seed: 9", REGENERATED),
        ("num_steps: 3", REGENERATED),
        ("guidance: 2", REGENERATED),
        ("lora_scale: 0.5", REGENERATED),
        ("negative_prompt: blur", {"encode_edit": 1, **REGENERATED}),
    ],
)
def test_own_setting_of_one_edit_regenerates_that_edit(batch: Path, line: str, rerun: dict[str, int]) -> None:
    """A setting in edit.yaml reaches its edit's generation only, or what it is generated from."""
    (batch / "clips" / TURNING / "edits" / "gold-ring" / "edit.yaml").write_text(f"{line}\n")
    assert planned_jobs(batch) == rerun


@pytest.fixture
def own_models(batch: Path) -> Iterator[Path]:
    """The batch's models as a copy of its own, which a test may change."""
    models = batch / "demo" / "models"
    shared = models.readlink()
    models.unlink()
    shutil.copytree(shared, models)
    yield models
    shutil.rmtree(models)
    models.symlink_to(shared)


@pytest.mark.parametrize(
    ("weights", "rerun"),
    [
        ("wan2.1-i2v-tiny/transformer/diffusion_pytorch_model.safetensors",
         {"train_lora_decouple": 2, "train_lora_appearance": 1, "generate": 3, "evaluate": 3, "report": 1}),
        ("clip-tiny/model.safetensors", {"measure_source": 2, "evaluate": 3, "report": 1}),
        ("yolo11-tiny/model.safetensors", {"detect_objects": 2, "segment_masks": 3, **AFTER_MASKS}),
    ],
    ids=["transformer", "CLIP", "detector"],
)  # fmt: skip
def test_new_weights_under_an_old_name_rerun_what_reads_them(
    batch: Path, own_models: Path, weights: str, rerun: dict[str, int]
) -> None:
    """One bit of one weight; a copy of all models, with its own times of change, is still the same."""
    assert planned_jobs(batch) == {}
    content = bytearray((own_models / weights).read_bytes())
    content[-1] ^= 1
    (own_models / weights).write_bytes(content)
    assert planned_jobs(batch) == rerun


def test_added_clip_runs_alone(batch: Path) -> None:
    """One more clip is twelve jobs of its own, and the report."""
    shutil.copytree(ROOT / "demo" / "clips" / "star-crossing", batch / "clips" / "added")
    jobs = planned_jobs(batch)
    assert set(jobs.values()) == {1}
    assert set(jobs) == {
        "extract_frames", "align_edit", "caption_source", "caption_edit", "detect_objects", "segment_masks",
        "encode_source", "measure_source",
        "encode_edit", "train_lora_decouple", "generate", "evaluate", "report",
    }  # fmt: skip


def test_comment_in_lib_reruns_nothing(batch: Path) -> None:
    """Editing code is not a reason to train again."""
    for path in (batch / "lib").rglob("*.py"):
        path.write_text(path.read_text() + "\n# a comment\n")
    assert planned_jobs(batch) == {}


@pytest.mark.parametrize(
    ("stage", "rerun"),
    [
        ("generate", {"generate": 3, "evaluate": 3, "report": 1}),
        ("segment_masks", {"segment_masks": 3, **AFTER_MASKS}),
        ("detect_objects", {"detect_objects": 2, "segment_masks": 3, **AFTER_MASKS}),
        ("measure_source", {"measure_source": 2, "evaluate": 3, "report": 1}),
    ],
)  # fmt: skip
def test_version_bump_reruns_the_stage_and_what_follows(batch: Path, stage: str, rerun: dict[str, int]) -> None:
    """Raising a stage's number in lib/core/provenance.py is how a changed result is announced."""
    path = batch / "lib" / "core" / "provenance.py"
    changed, count = re.subn(rf'("{stage}": )\d+', r"\g<1>1000", path.read_text())
    assert count == 1
    path.write_text(changed)
    assert planned_jobs(batch) == rerun


def test_any_stage_runs_alone_from_a_clip_and_a_rule(finished: Path) -> None:
    """Under a debugger or not, in one process, with the job's own inputs and params: the same bytes, elsewhere."""
    alone = [sys.executable, "-m", "lib.stages.alone", "results", TURNING_ID]
    for words, made in (
        (["extract_frames"], "source_video.mkv"),
        (["encode_source"], "encoded/edit.safetensors"),
        (["generate", "--edit", "gold-ring", "--method", "mask_lora"], "gold-ring/mask_lora/edited.mkv"),
    ):
        subprocess.run([*alone, *words, "--into", "elsewhere"], cwd=finished, env=ENVIRONMENT, check=True)
        expected = file_hash(finished / "results" / TURNING_ID / made)
        assert file_hash(finished / "elsewhere" / TURNING_ID / made) == expected, made
    (finished / "results" / TURNING_ID / "motion.mkv").rename(finished / "moved.mkv")
    gone = subprocess.run(
        [*alone, "segment_masks", "--edit", "gold-ring"], cwd=finished, capture_output=True, text=True
    )
    (finished / "moved.mkv").rename(finished / "results" / TURNING_ID / "motion.mkv")
    assert gone.returncode == 1 and "motion.mkv: found no such file" in gone.stderr
    nothing = subprocess.run([*alone, "generate"], cwd=finished, capture_output=True, text=True)
    assert nothing.returncode == 1 and "encode_source.edit" in nothing.stderr
