"""Methods in one batch share what they can; LoRAs are shared, owned or reused; long clips are edited in windows."""

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from lib.core.files import file_hash, read_json
from lib.inputs.ids import OF_CLIPS, make_ids
from lib.training.lora_formats import read_lora, write_lora
from lib.video.reading import read_mask, read_video
from tests.conftest import ROOT
from tests.workflow.finished_runs import copy_without
from tests.workflow.project import copy_project, planned_jobs, run_snakemake, write_settings

DEMO = ROOT / "demo" / "clips"
CLIP, EDIT = "turning square", "gold-ring"
(CLIP_ID,) = make_ids([CLIP], OF_CLIPS)
METHODS = ["mask_lora", "tight_mask", "own_lora", "locked_composited"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip with two edits; one of them made by four methods, as far as the other is needed for that."""
    project = copy_project(tmp_path_factory.mktemp("methods"))
    shutil.copytree(DEMO / CLIP, project / "clips" / CLIP)
    write_settings(project, {"clips": "clips", "methods": METHODS})
    jobs = planned_jobs(project)
    assert jobs["train_lora_decouple"] == 2, "of the loose boxes and of the tight masks, for both edits together"
    assert jobs["train_lora_decouple_own"] == 2, "one for each edit"
    assert jobs["segment_masks"] == jobs["segment_masks_shape"] == 2
    assert jobs["caption_edit"] == 2
    once = ("extract_frames", "caption_source", "detect_objects", "measure_source")
    assert [jobs[rule] for rule in once] == [1] * len(once)
    assert jobs["generate"] == jobs["evaluate"] == len(METHODS) * 2
    answer = run_snakemake(
        project, "--cores", "2", *(f"results/{CLIP_ID}/{EDIT}/{name}/metrics.json" for name in METHODS)
    )
    assert answer.returncode == 0, answer.stdout
    return project


def test_methods_differ_in_what_they_name_and_share_the_rest(finished: Path) -> None:
    """Four videos, none like another; a tight mask is smaller; a composite is the source outside the mask."""
    results = finished / "results" / CLIP_ID
    videos = {path: read_video(path) for path in sorted(results.rglob("edited.mkv"))}
    assert len({video.tobytes() for video in videos.values()}) == len(METHODS)
    source = read_video(results / "source_video.mkv")
    loose, tight = (read_mask(results / EDIT / name) for name in ("edit_mask.mkv", "masks/tight.mkv"))
    assert tight.sum() < 0.8 * loose.sum() and not (tight & ~loose).any()
    composited = videos[results / EDIT / "locked_composited" / "edited.mkv"]
    assert (composited[~loose] == source[~loose]).all()
    metrics = read_json(results / EDIT / "locked_composited" / "metrics.json")
    assert metrics["rows"]["edited"]["mean"]["background_psnr"] == 100
    assert metrics["rows"]["edited"]["mean"]["seam"] is not None
    assert metrics["first_frame"]["drift_as_given"] is not None and metrics["joins"] == {}


def test_a_new_method_reruns_nothing_that_was_made(finished: Path) -> None:
    """Another way to generate with the same LoRA is generated and evaluated, for both edits, and nothing else."""
    before = Counter(planned_jobs(finished))
    extra = {"method_presets": {"weak": {"lora_scale": 0.5}}}
    write_settings(finished, {"clips": "clips", "methods": [*METHODS, "weak"], **extra})
    assert Counter(planned_jobs(finished)) - before == {"generate": 2, "evaluate": 2}
    write_settings(finished, {"clips": "clips", "methods": METHODS})
    assert planned_jobs(finished) == before
    assert not before.keys() & {"extract_frames", "segment_masks", "train_lora_decouple"}, "both edits' are made"


def test_a_lora_of_an_earlier_run_is_taken_up_for_new_edits(finished: Path, tmp_path: Path) -> None:
    """Pointed to from the config, it is generated with and not trained; the videos are those of the first run."""
    project = copy_without(finished, tmp_path / "batch", "*/lora", "*/*/lora", *(f"*/*/{method}" for method in METHODS))
    pattern = f"{finished}/results/{{clip}}/lora/{{mask}}/decouple.safetensors"
    reused = {"clips": "clips", "training": {"decouple_lora": pattern}}
    write_settings(project, reused)
    assert not {job for job in planned_jobs(project) if job.startswith("train")}
    video = f"results/{CLIP_ID}/{EDIT}/mask_lora/edited.mp4"
    answer = run_snakemake(project, "--cores", "2", video)
    assert answer.returncode == 0, answer.stdout
    assert file_hash(project / video) == file_hash(finished / video)

    lora = finished / "results" / CLIP_ID / "lora" / "edit" / "decouple.safetensors"
    renamed = project / "renamed" / CLIP_ID / "edit.safetensors"
    renamed.parent.mkdir(parents=True)
    write_lora(read_lora(lora, "wan"), renamed, "comfyui", "wan")
    under_names = {**reused, "training": {"decouple_lora": "renamed/{clip}/{mask}.safetensors"}}
    write_settings(project, under_names)
    (project / video).unlink()
    answer = run_snakemake(project, "--cores", "2", video)
    assert answer.returncode == 0, answer.stdout
    assert file_hash(project / video) == file_hash(finished / video)

    write_settings(project, {**under_names, "training": {**under_names["training"], "rank": 4}})
    refused = run_snakemake(project, "--dry-run")
    assert refused.returncode != 0 and "a LoRA of rank 2; expected rank 4" in refused.stdout
    assert f"clip '{CLIP}': renamed/{CLIP_ID}/edit.safetensors: found" in refused.stdout
    write_settings(project, {**reused, "training": {"decouple_lora": pattern, "rank": 4}})
    refused = run_snakemake(project, "--dry-run")
    assert refused.returncode != 0 and "a LoRA of rank 2; expected rank 4" in refused.stdout
    other = project / "other" / CLIP_ID / "edit.safetensors"
    other.parent.mkdir(parents=True)
    narrow = {name: tensor[:, :7] if "lora_A" in name else tensor for name, tensor in load_file(lora).items()}
    save_file({name: tensor.contiguous() for name, tensor in narrow.items()}, other)
    write_settings(project, {**reused, "training": {"decouple_lora": "other/{clip}/{mask}.safetensors"}})
    refused = run_snakemake(project, "--dry-run")
    assert refused.returncode != 0 and "a LoRA of this model" in refused.stdout
    write_settings(project, {**reused, "training": {"decouple_lora": "nowhere/{clip}/{mask}.safetensors"}})
    refused = run_snakemake(project, "--dry-run")
    assert refused.returncode != 0 and "exists for none of the 1 clips" in refused.stdout


def test_a_long_clip_is_edited_whole_in_windows(tmp_path: Path) -> None:
    """One setting: all frames of the source, one LoRA, and what happens where one window takes over from another."""
    project = copy_project(tmp_path)
    shutil.copytree(DEMO / CLIP, project / "clips" / CLIP)
    shutil.rmtree(project / "clips" / CLIP / "edits" / "pink-star")
    write_settings(project, {"clips": "clips", "video": {"num_frames": 9, "max_windows": 3}})
    answer = run_snakemake(project, "--cores", "2")
    assert answer.returncode == 0, answer.stdout
    folder = project / "results" / CLIP_ID
    source, edited = (
        read_video(path) for path in (folder / "source_video.mkv", folder / EDIT / "mask_lora" / "edited.mkv")
    )
    assert len(source) == len(edited) == 17
    assert np.unique(edited.reshape(17, -1), axis=0).shape[0] == 17
    curve = [json.loads(line) for line in (folder / "lora/edit/decouple.jsonl").read_text().splitlines()]
    assert len(curve) == 3 * 3, "as many steps for each window"
    joins = read_json(folder / EDIT / "mask_lora" / "metrics.json")["joins"]
    assert joins["frames"] == [9, 13] and joins["excess_warp_error_at_joins"] is not None
    assert "window 3 of 3" in (project / "results/logs" / CLIP_ID / EDIT / "mask_lora/generate.log").read_text()
