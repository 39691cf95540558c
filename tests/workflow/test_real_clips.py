"""Real footage, where it lies beside the checkout: carphone (a part edit with a reference) and bunny (720p, sound)."""

import json
import shutil
from pathlib import Path

import pytest

from lib.video.probing import probe_video
from tests.browser import load_section, open_page
from tests.conftest import ROOT
from tests.workflow.project import copy_project, planned_jobs, run_snakemake, write_settings
from tests.workflow.result_checks import check_mask_covers_the_edit, check_provenance, check_video_is_whole

REAL_CLIPS = ROOT.parent / "shared" / "real_clips"
CLIPS = {"carphone": "green-bow-tie", "bunny": "pink-bunny"}
NUM_FRAMES = 25  # so that carphone's reference, frame 24, is one of them

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not REAL_CLIPS.exists(), reason="the real clips are not beside this checkout"),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of both clips, with the tiny model and few steps."""
    project = copy_project(tmp_path_factory.mktemp("real"))
    for clip in CLIPS:
        shutil.copytree(REAL_CLIPS / clip, project / "clips" / clip)
    # The demo's detector knows shapes, not people and rabbits: real footage goes by optical flow here.
    video = {"num_frames": NUM_FRAMES, "width": 160, "height": 96}
    write_settings(project, {"clips": "clips", "video": video, "mask": {"detector": None}})
    answer = run_snakemake(project, "--cores", "2")
    assert answer.returncode == 0, answer.stdout
    assert planned_jobs(project) == {}
    return project / "results"


@pytest.mark.parametrize("clip", CLIPS)
def test_edited_video_is_whole(results: Path, clip: str) -> None:
    """Length, size, rate, pixel shape and sound; of the two bunny has some."""
    source, folder = REAL_CLIPS / clip / "source.mp4", results / clip / CLIPS[clip] / "mask_lora"
    assert probe_video(source).has_audio == (clip == "bunny")
    check_video_is_whole(source, folder, NUM_FRAMES, 160, 96)


@pytest.mark.parametrize("clip", CLIPS)
def test_mask_covers_the_edit(results: Path, clip: str) -> None:
    """The mask holds what the edit changed in frame 0, in no frame is empty, and leaves background."""
    check_mask_covers_the_edit(results / clip, CLIPS[clip])


def test_both_stages_are_trained_where_there_is_a_reference(results: Path) -> None:
    """carphone has appearance after decouple, with source steps mixed in; bunny has decouple alone."""
    steps = (results / "carphone" / "green-bow-tie" / "lora" / "edit" / "appearance.jsonl").read_text().splitlines()
    assert {tuple(json.loads(step)["samples"]) for step in steps} >= {(1,)}
    assert (results / "bunny" / "lora" / "edit" / "decouple.safetensors").exists()
    assert not (results / "bunny" / "pink-bunny" / "lora").exists()


@pytest.mark.parametrize("clip", CLIPS)
def test_every_file_says_what_made_it(results: Path, clip: str) -> None:
    """Seeds, versions, settings and hashes stand beside each result."""
    check_provenance(results / clip / CLIPS[clip] / "mask_lora")


def test_report_shows_both_clips_in_a_browser(results: Path, chromium: object) -> None:
    """The page opens from disk: each edit's videos load, nothing is missing, no error on the console."""
    for page in open_page(chromium, results / "report"):
        for edit in CLIPS.values():
            assert load_section(page, edit).locator("video").count() == 4
        page.screenshot(path=results / "report.png", full_page=True)
