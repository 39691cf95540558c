"""Real footage through every stage: carphone (a part edit with a reference) and bunny (720p with sound)."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lib.video.probing import probe_video
from lib.video.reading import read_first_frame, read_mask, read_video
from lib.video.sound import read_sound
from tests.browser import load_section, open_page
from tests.conftest import ROOT
from tests.workflow.project import copy_project, planned_jobs, run_snakemake, write_settings

REAL_CLIPS = ROOT.parent / "shared" / "real_clips"
CLIPS = {"carphone": "green-bow-tie", "bunny": "pink-bunny"}
NUM_FRAMES = 25  # so that carphone's reference, frame 24, is one of them

pytestmark = pytest.mark.skipif(not REAL_CLIPS.exists(), reason="the real clips are not beside this checkout")


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
    """Length, size, rate and pixel shape are the source's; so is the sound, where there is some."""
    source = probe_video(REAL_CLIPS / clip / "source.mp4")
    folder = results / clip / CLIPS[clip] / "mask_lora"
    info = probe_video(folder / "edited.mp4")
    assert (info.num_frames, info.width, info.height) == (NUM_FRAMES, 160, 96)
    assert info.fps == pytest.approx(source.fps, rel=1e-3)
    assert info.pixel_aspect == pytest.approx(source.pixel_aspect, rel=1e-3)
    assert info.has_audio == source.has_audio == (clip == "bunny")
    assert read_video(folder / "edited.mkv").shape == (NUM_FRAMES, 96, 160, 3)
    if source.has_audio:
        end = NUM_FRAMES / source.fps
        theirs, ours = read_sound(REAL_CLIPS / clip / "source.mp4", 0, end), read_sound(folder / "edited.mp4", 0, end)
        assert theirs is not None and ours is not None and ours.rate == theirs.rate
        loudness = [np.sqrt((sound.samples**2).mean()) for sound in (theirs, ours)]
        assert loudness[1] == pytest.approx(loudness[0], rel=0.1)


@pytest.mark.parametrize("clip", CLIPS)
def test_mask_covers_the_edit(results: Path, clip: str) -> None:
    """The mask holds what the edit changed in frame 0, in no frame is empty, and leaves background."""
    folder = results / clip / CLIPS[clip]
    mask = read_mask(folder / "edit_mask.mkv")
    source, edited = read_video(results / clip / "source_video.mkv")[0], read_first_frame(folder / "first_frame.png")
    changed = np.abs(source.astype(int) - edited).max(axis=-1) > 60
    assert changed.sum() > 20
    assert mask[0][changed].mean() > 0.99
    assert mask.any(axis=(1, 2)).all()
    assert mask[0].mean() < 0.7


def test_both_stages_are_trained_where_there_is_a_reference(results: Path) -> None:
    """carphone has appearance after decouple, with source steps mixed in; bunny has decouple alone."""
    steps = (results / "carphone" / "green-bow-tie" / "lora" / "edit" / "appearance.jsonl").read_text().splitlines()
    assert {tuple(json.loads(step)["samples"]) for step in steps} >= {(1,)}
    assert (results / "bunny" / "lora" / "edit" / "decouple.safetensors").exists()
    assert not (results / "bunny" / "pink-bunny" / "lora").exists()


@pytest.mark.parametrize("clip", CLIPS)
def test_every_file_says_what_made_it(results: Path, clip: str) -> None:
    """Seeds, versions, settings and hashes stand beside each result."""
    folder = results / clip / CLIPS[clip] / "mask_lora"
    made = json.loads((folder / "edited.json").read_text())
    assert made["settings"]["seed"] == 0 and made["versions"]["torch"]
    assert made["device"] == "cpu" and made["execution"]["mode"] == "fast"
    assert all(len(digest) == 64 for digest in {**made["inputs"], **made["outputs"]}.values())
    rows = json.loads((folder / "metrics.json").read_text())["rows"]
    assert set(rows) == {"edited", "vae_round_trip", "source_copy"}
    assert rows["source_copy"]["mean"]["background_psnr"] == 100


def test_report_shows_both_clips_in_a_browser(results: Path, chromium: object) -> None:
    """The page opens from disk: each edit's videos load, nothing is missing, no error on the console."""
    for page in open_page(chromium, results / "report"):
        for edit in CLIPS.values():
            assert load_section(page, edit).locator("video").count() == 4
        page.screenshot(path=results / "report.png", full_page=True)
