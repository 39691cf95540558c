"""An edit that is given in words alone: its first frame is made, then all goes on as with one of the user's."""

import shutil
from pathlib import Path

import pytest
import yaml

from lib.core.files import file_hash, read_json
from lib.video.images import read_image
from lib.video.reading import read_video
from tests.conftest import ROOT
from tests.lib.editors.tiny_editors import save_instruct_pix2pix
from tests.workflow.finished_runs import CLIP, EDIT
from tests.workflow.project import copy_project, planned_jobs, run_snakemake, write_settings

EDITOR = {"model": "weights/pix2pix", "num_steps": 2, "num_tries": 2, "clip_model": "demo/models/clip-tiny"}
SETTINGS = {"clips": "clips", "editor": EDITOR}
WORDS, PART = "in-words", "in-part"
REFERENCE = 4  # source index
INSTRUCTION = "make the star 'blue'; {clip} $(touch X)"


def _instruct(project: Path, edit: str, **keys: object) -> None:
    folder = project / "clips" / CLIP / "edits" / edit
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "edit.yaml").write_text(yaml.safe_dump(keys), encoding="utf-8")


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip with an edited first frame, an edit in words, and one in words whose frame is no edit of a part."""
    project = copy_project(tmp_path_factory.mktemp("instructions"))
    save_instruct_pix2pix(project / "weights" / "pix2pix")
    shutil.copytree(ROOT / "demo" / "clips" / CLIP, project / "clips" / CLIP)
    _instruct(project, WORDS, instruction=INSTRUCTION, reference_instructions={REFERENCE: "a $(touch X) beside it"})
    _instruct(project, PART, instruction="make the star blue", classes=["star"])
    write_settings(project, SETTINGS)
    jobs = planned_jobs(project)
    assert jobs["edit_first_frame"] == 2 and jobs["edit_reference"] == jobs["train_lora_appearance"] == 1
    answer = run_snakemake(project, "--cores", "2", "--keep-going")
    assert answer.returncode != 0 and "where a part is meant" in answer.stdout, answer.stdout
    return project


def test_an_instruction_becomes_an_edited_video(edited: Path) -> None:
    """By the frame that was made of it, which all later stages take as they would take the user's."""
    folder = edited / "results" / CLIP / WORDS
    facts = read_json(folder / "made_first_frame.json")
    assert facts["instruction"] == INSTRUCTION and len(facts["tries"]) == 2 and "refused" not in facts
    assert facts["provenance"]["settings"]["models"]
    taken = read_image(folder / "first_frame.png")
    tries = {path.stem: read_image(path) for path in (folder / "made_first_frames").glob("*.png")}
    source = read_video(edited / "results" / CLIP / "source_video.mkv")
    assert sorted(tries) == ["0", "1"] and taken.shape == source.shape[1:] and (taken != source[0]).any()
    assert read_json(folder / "mask_lora" / "edited.json") and (folder / "mask_lora" / "metrics.json").exists()
    assert read_video(folder / "mask_lora" / "edited.mkv").shape == source.shape
    assert not (edited / "X").exists()


def test_a_reference_in_words_is_learnt_from(edited: Path) -> None:
    """It is made of its own frame, by its own instruction, and stage 2 sees it."""
    folder = edited / "results" / CLIP / WORDS
    facts = read_json(folder / "made_references" / f"{REFERENCE}.json")
    assert facts["instruction"] == "a $(touch X) beside it" and len(facts["tries"]) == 2
    reference = read_image(folder / "references" / f"{REFERENCE:05d}.png")
    assert (reference != read_image(folder / "first_frame.png")).any()
    assert (folder / "lora" / "edit" / "appearance.safetensors").exists()


def test_a_frame_that_is_no_edit_fails_its_edit_alone(edited: Path) -> None:
    """Before any training of its own, with the reason; the clip's other edits are made."""
    results = edited / "results" / CLIP
    assert not (results / PART / "mask_lora" / "edited.mkv").exists()
    assert not (results / PART / "encoded").exists()
    reason = read_json(edited / "results" / "logs" / CLIP / PART / "encode_edit.edit.failure.json")["reason"]
    assert f"edit '{PART}'" in reason and "instruction 'make the star blue'" in reason and "global_share" in reason
    assert (results / EDIT / "mask_lora" / "edited.mkv").exists()


def test_only_edits_in_words_depend_on_the_editor(edited: Path, tmp_path: Path) -> None:
    """New words or settings make its frame anew, and nothing of an edit whose frame the user gave."""
    project = shutil.copytree(edited, tmp_path / "copy", symlinks=True)
    shutil.rmtree(project / "clips" / CLIP / "edits" / PART)
    made = file_hash(project / "results" / CLIP / EDIT / "first_frame.png")
    write_settings(project, {**SETTINGS, "editor": {**EDITOR, "seed": 1}})
    jobs = planned_jobs(project)
    assert jobs["edit_first_frame"] == jobs["edit_reference"] == jobs["align_edit"] == 1
    assert "extract_frames" not in jobs
    write_settings(project, SETTINGS)
    _instruct(project, WORDS, instruction=INSTRUCTION, reference_instructions={REFERENCE: "another"})
    jobs = planned_jobs(project)
    assert jobs["edit_reference"] == jobs["align_edit"] == 1 and "edit_first_frame" not in jobs
    _instruct(project, WORDS, instruction="make it red")
    jobs = planned_jobs(project)
    assert jobs["edit_first_frame"] == jobs["align_edit"] == 1 and "edit_reference" not in jobs
    assert file_hash(project / "results" / CLIP / EDIT / "first_frame.png") == made


def test_what_is_wrong_is_told_before_any_job(edited: Path, tmp_path: Path) -> None:
    """No editor, another kind of model, and an instruction beside a first frame."""
    project = shutil.copytree(edited, tmp_path / "copy", symlinks=True)
    for model, found in (
        (None, "none, for edits that are given as instructions"),
        ("weights/none", "'weights/none', which is"),
        ("demo/models/wan2.1-i2v-tiny", "which is a WanImageToVideoPipeline"),
    ):
        write_settings(project, {**SETTINGS, "editor": {**EDITOR, "model": model}})
        answer = run_snakemake(project, "-n")
        assert answer.returncode != 0 and "Nothing was started" in answer.stdout
        assert "editor.model" in answer.stdout and found in answer.stdout
    write_settings(project, SETTINGS)
    _instruct(project, EDIT, instruction="make it red")
    answer = run_snakemake(project, "-n")
    assert answer.returncode == 0 and "an instruction beside first_frame.png" in answer.stdout
