"""`./batch status` and the report say the same of every edited video, in every state that a batch leaves one in."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lib.batch.activity import settle_killed
from lib.batch.lock import write_driver
from lib.batch.plan import Round, Work, note_failures, note_plan
from lib.batch.status import describe_status, read_status
from lib.core.errors import InputError, InterruptionError, Problem
from lib.report.results import read_edited_videos
from lib.stages.log import stage_log
from tests.conftest import ROOT

METHOD = "mask_lora"
BEGUN = time.time() - 1000
AGES_AGO = BEGUN - 1000
RUN_UNTIL_KILLED = """
import os, signal, sys
from lib.stages.log import stage_log
with stage_log(sys.argv[1], "killed"):
    print("at work", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def make(results: Path, clip: str, edit: str, when: float) -> None:
    """Leave what the last stage of an edited video leaves, made at a time."""
    log(results, f"{clip}/{edit}/{METHOD}/evaluate")
    folder = results / clip / edit / METHOD
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.json").write_text(json.dumps({"rows": {"edited": {"mean": {"clip_score": 0.3}}}}))
    (folder / "edited.mp4").write_bytes(b"video")
    for path in folder.iterdir():
        os.utime(path, (when, when))


def log(results: Path, stage: str, error: Exception | None = None) -> Path:
    """Run a stage that ends well, or with an error, in its log."""
    path = results / "logs" / f"{stage}.log"
    try:
        with stage_log(path, stage):
            if error:
                raise error
    except SystemExit:
        assert error
    return path


@pytest.fixture
def batch(tmp_path: Path) -> tuple[Path, Work, dict[tuple[str, str], str]]:
    """A batch whose driver has ended, with an edit in each state; and that state."""
    results = tmp_path / "results"
    states = {
        ("done", "red"): "done",
        ("half", "red"): "done",
        ("half", "blue"): "failed",
        ("siblings", "bad"): "failed",
        ("siblings", "good"): "not run",  # waits for the mask of the other, which their LoRA is trained with
        ("both", "red"): "failed",  # both, with what they share
        ("both", "blue"): "failed",
        ("killed", "red"): "failed",
        ("wordless", "red"): "failed",  # ended before it had a log
        ("stopped", "red"): "not run",
        ("stale", "red"): "failed",  # made by an earlier run; this one failed on the way to it
        ("old", "red"): "not run",  # made by an earlier run; this one did not come to it
        ("kept", "red"): "done",  # made by an earlier run, and nothing is to be made anew
        ("waiting", "red"): "not run",
    }
    expected = [(clip, edit, METHOD) for clip, edit in states]
    work = Work(results, {}, {}, expected, [], "run")
    now = [video for video in expected if video[0] != "kept"]
    note_plan(work, Round(sorted({clip for clip, *_ in expected}), [], [], None), now, anew=True)
    plan = results / ".batch" / "plan.json"
    plan.write_text(json.dumps({**json.loads(plan.read_text()), "begun": BEGUN}))
    make(results, "done", "red", time.time())
    make(results, "half", "red", time.time())
    for clip in ("stale", "old", "kept"):
        make(results, clip, "red", AGES_AGO)
    wrong = InputError([Problem("mask", "nothing", "something")])
    log(results, "half/blue/encode_edit.edit", wrong)
    log(results, "siblings/bad/segment_masks", wrong)
    log(results, "siblings/good/segment_masks")
    log(results, "both/train_lora_decouple.edit", RuntimeError("no more"))
    log(results, "stopped/train_lora_decouple.edit", InterruptionError("stopped by SIGTERM"))
    log(results, "stale/train_lora_decouple.edit", MemoryError())
    killed = results / "logs" / "killed" / "red" / METHOD / "generate.log"
    subprocess.run([sys.executable, "-c", RUN_UNTIL_KILLED, str(killed)], cwd=ROOT)
    write_driver(results, {"host": "elsewhere", "pid": 1, "started": "today", "ended": "now", "outcome": "stopped"})
    return results, work, states


def test_status_and_report_agree_on_every_edited_video(
    batch: tuple[Path, Work, dict[tuple[str, str], str]],
) -> None:
    """Done, failed alone or with what is shared, blocked by a sibling, killed, stopped, stale; before and after the
    driver has settled what was killed."""
    results, work, states = batch
    note_failures(results, [(str(results / "logs" / "wordless" / "extract_frames.log"), 1)])
    for _ in range(2):
        status = read_status(results)
        report = {
            (video.clip, video.edit, video.method): video for video in read_edited_videos(results, work.expected, {})
        }
        assert status.videos == {names: video.status for names, video in report.items()}
        assert {names[:2]: outcome for names, outcome in status.videos.items()} == states
        told = {video.failure.name: video.failure.reason for video in report.values() if video.failure}
        failed = {name: failure.reason for name, failure in status.failures.items() if failure.kind != "interrupted"}
        assert told == failed, "the same jobs, for the same reasons"
        assert {clip for clip, state in status.clips.items() if state == "failed"} == {
            clip for (clip, _), state in states.items() if state == "failed"
        }
        settle_killed(results, nothing_runs=True)
    assert "Edited videos: 3 of 14, 7 failed" in describe_status(status)
