"""What became of each edited video of a batch, as its files and logs tell."""

import os
from pathlib import Path

from lib.core.failures import write_failure
from lib.report.results import KILLED, read_edited_videos
from tests.lib.report.example_batch import CAR, DOG, EXPECTED, write_log


def test_every_edit_has_its_state(results: Path) -> None:
    """Done, failed with its reason, killed, and not run are told apart."""
    videos = list(read_edited_videos(results, EXPECTED, {}))
    assert [video.status for video in videos] == ["done", "done", "done", "failed", "failed", "not run"]
    failed, killed = videos[3].failure, videos[4].failure
    assert failed is not None and killed is not None
    assert failed.reason == "CUDA out of memory <GPU 0>"
    assert failed.name == f"{DOG}/hat & scarf?/mask_lora/generate"
    assert killed.reason == KILLED
    assert killed.tail == ["started", "tracking 40%"]


def test_latest_failing_stage_is_named(results: Path) -> None:
    """What failed in an earlier run, and was not reached again, does not hide what failed now."""
    name = f"{DOG}/hat & scarf?/mask_lora/generate"
    os.utime(results / "logs" / f"{name}.log", (1, 1))
    write_log(results, f"{DOG}/extract_frames", "failed: no such file")
    failure = list(read_edited_videos(results, EXPECTED, {}))[3].failure
    assert failure is not None and failure.name == f"{DOG}/extract_frames"


def test_a_group_that_failed_is_told_by_the_job_that_said_why(results: Path) -> None:
    """Snakemake leaves an empty log of each job of a group, also of those that were never begun."""
    for name in (f"{DOG}/extract_frames", f"{DOG}/hat & scarf?/mask_lora/evaluate"):
        (results / "logs" / f"{name}.log").write_text("")
    (results / "logs" / DOG / "hat & scarf?" / "mask_lora" / "generate.log").unlink()
    write_failure(results / "logs" / DOG / "extract_frames.log", "input", "an unreadable video", 1, [])
    failure = list(read_edited_videos(results, EXPECTED, {}))[3].failure
    assert failure is not None and failure.name == f"{DOG}/extract_frames"
    assert failure.reason == "an unreadable video"


def test_failure_with_another_mask_is_not_ours(results: Path) -> None:
    """A LoRA that only another method uses does not fail this one."""
    expected = [(DOG, "hat & scarf?", "base_masked"), (DOG, "hat & scarf?", "naive_lora")]
    write_log(results, f"{DOG}/train_lora_decouple.first_frame", "failed: the loss is no longer finite")
    assert [video.status for video in read_edited_videos(results, expected, {})] == ["not run", "failed"]


def test_failure_of_a_neighbour_is_not_ours(results: Path) -> None:
    """A job of another edit or method does not fail this one; a job of the clip fails all that wait for it."""
    expected = [(CAR, "red car", "mask_lora"), (CAR, "red car", "all_ones"), (CAR, "new", "mask_lora")]
    write_log(results, f"{CAR}/red car/all_ones/generate", "failed: full disk")
    assert [video.status for video in read_edited_videos(results, expected, {})] == ["done", "failed", "not run"]
    write_log(results, f"{CAR}/train_lora_decouple.edit", "failed: lost the GPU")
    videos = list(read_edited_videos(results, expected, {}))
    assert [video.status for video in videos] == ["done", "failed", "failed"]
