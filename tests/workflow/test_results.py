"""What a finished batch holds: every file, whole, of the source's length and sound, with what made it."""

import json
from pathlib import Path

import pytest

from tests.browser import load_section, open_page
from tests.workflow.finished_runs import CLIP, EDIT, NUM_FRAMES, SPEAKER, SPEAKER_ID, TURNING_ID, filmed_speaker
from tests.workflow.project import SMALL, planned_jobs
from tests.workflow.result_checks import check_mask_covers_the_edit, check_provenance, check_video_is_whole

TIE = filmed_speaker().edit
EDITS = ((SPEAKER_ID, TIE), (TURNING_ID, "gold-ring"), (TURNING_ID, "pink-star"))
WIDTH, HEIGHT = SMALL["video"]["width"], SMALL["video"]["height"]


@pytest.fixture
def results(three_edits: Path) -> Path:
    """The results of a filmed clip with a reference, and of a demo clip with two edits."""
    return three_edits / "results"


def test_every_result_is_there(results: Path) -> None:
    """Each edit has its video, metrics and provenance; appearance is trained just where references are."""
    for clip, edit in EDITS:
        for name in ("edited.mp4", "edited.mkv", "edited.json", "metrics.json", "difference.mp4"):
            assert (results / clip / edit / "mask_lora" / name).stat().st_size > 0
    trained = {path.relative_to(results).as_posix() for path in results.rglob("lora/**/*.safetensors")}
    assert trained == {
        f"{SPEAKER_ID}/lora/edit/decouple.safetensors",
        f"{SPEAKER_ID}/{TIE}/lora/edit/appearance.safetensors",
        f"{TURNING_ID}/lora/edit/decouple.safetensors",
    }
    assert not [path for path in results.rglob("*") if "partial" in path.name]


def test_nothing_is_left_to_do(two_clips: Path) -> None:
    """A run that ended well is a finished one."""
    assert planned_jobs(two_clips) == {}


def test_references_are_mixed_with_the_source_in_the_second_stage(results: Path) -> None:
    """Some steps of the second stage are on the reference alone."""
    curve = (results / SPEAKER_ID / TIE / "lora" / "edit" / "appearance.jsonl").read_text().splitlines()
    samples = {tuple(json.loads(step)["samples"]) for step in curve}
    assert (1,) in samples and samples - {(1,)}


def test_video_of_filmed_pixels_that_are_not_square_is_whole(three_edits: Path) -> None:
    """Rate and pixel shape are the source's, and there is no sound, as there was none."""
    folder = three_edits / "results" / SPEAKER_ID / TIE / "mask_lora"
    check_video_is_whole(three_edits / "clips" / SPEAKER / "source.mp4", folder, NUM_FRAMES, WIDTH, HEIGHT)


def test_video_with_sound_is_whole(two_clips: Path) -> None:
    """The sound of the frames that were used comes back as loud as it was."""
    folder = two_clips / "results" / CLIP / EDIT / "mask_lora"
    num_frames = SMALL["video"]["num_frames"]
    check_video_is_whole(two_clips / "clips" / CLIP / "source.mp4", folder, num_frames, WIDTH, HEIGHT)


@pytest.mark.parametrize(("clip", "edit"), EDITS)
def test_mask_covers_the_edit(results: Path, clip: str, edit: str) -> None:
    """Through crop, codec and tracking the mask still holds what the edit changed."""
    check_mask_covers_the_edit(results / clip, edit)


@pytest.mark.parametrize(("clip", "edit"), EDITS)
def test_every_file_says_what_made_it(results: Path, clip: str, edit: str) -> None:
    """Seeds, versions, settings and hashes stand beside each result."""
    check_provenance(results / clip / edit / "mask_lora")


def test_logs_and_benchmarks_are_found_by_clip_edit_and_rule(results: Path) -> None:
    """Each log ends well, and stands where the names of its clip, edit and method say."""
    assert (results / "logs" / SPEAKER_ID / TIE / "mask_lora" / "generate.log").exists()
    assert (results / "benchmarks" / TURNING_ID / "train_lora_decouple.edit.tsv").exists()
    logs = list((results / "logs").rglob("*.log"))
    assert len(logs) > 20
    for log in logs:
        assert log.read_text().splitlines()[-1].startswith("finished in "), log


def test_report_shows_each_edit_in_a_browser(results: Path, chromium: object) -> None:
    """The page opens from disk: each edit's videos load, nothing is missing, no error on the console."""
    for page in open_page(chromium, results / "report"):
        for _, edit in EDITS:
            assert load_section(page, edit).locator("video").count() == 4
