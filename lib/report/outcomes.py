"""What became of each edited video: asked by the report and by `./batch status` alike, so that they never disagree.

Only times and names of files are looked at: thousands are judged in a second.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lib.config.methods import BUILT_IN_METHODS, RESERVED_METHOD_NAMES, MethodSection
from lib.core.failures import Failure
from lib.core.files import read_json_or_nothing
from lib.core.names import is_outside

PLAN = Path(".batch") / "plan.json"  # in the results folder: what the last run is to make, see `lib.batch.plan`
SHARED = "shared"  # the folder, among those of clips, of stages that are all clips'
FOR_OURS = ("caption", "encode", "train")  # begin the stages that nothing of another tool's video is made by
FOR_OTHERS = "export"  # begins the stages that write copies for other programs, of which no video is made
Outcome = Literal["done", "failed", "not run"]
"""A video is `not run` when it waits: for its turn, for a stop to be taken back, or for another edit of its clip."""

Video = tuple[str, ...]
"""Clip, edit and method of an edited video, by id."""


@dataclass(frozen=True)
class LastRun:
    """What the last run on a results folder is to make anew, and when it began (seconds since the epoch)."""

    begun: float
    to_do: frozenset[Video]


def read_last_run(results: Path) -> LastRun:
    """Read what the last run is to make; without any, what is there counts, however old."""
    plan = read_json_or_nothing(results / PLAN)
    return LastRun(plan.get("begun", 0.0), frozenset(tuple(names) for names in plan.get("to_do", [])))


def is_done(results: Path, video: Video, run: LastRun) -> bool:
    """Tell whether an edited video is there and was measured, and not by an earlier run than the one to make it."""
    folder = os.path.join(results, *video)  # noqa: PTH118 - thousands of paths: pathlib takes most of the time
    begun = run.begun if video in run.to_do else 0.0
    try:
        return os.stat(f"{folder}/metrics.json").st_mtime >= begun and os.path.exists(f"{folder}/edited.mp4")  # noqa: PTH110, PTH116
    except OSError:
        return False


def has_failed(failure: Failure | None) -> bool:
    """Tell whether a stage that did not finish has failed; one that was stopped goes on with the next run."""
    return failure is None or failure.kind != "interrupted"


def judge(video: Video, done: bool, failed: Iterable[str]) -> Outcome:
    """Say what became of an edited video.

    Args:
        done: of `is_done`.
        failed: names of the stages of its clip, and of SHARED, that failed, see `has_failed`.
    """
    if done:
        return "done"
    _, edit, method = video
    return "failed" if any(leads_to(stage, edit, method) for stage in failed) else "not run"


def leads_to(stage: str, edit: str, method: str) -> bool:
    """Say whether a stage of a clip, such as `car-turn/red-car/align_edit`, leads to one of its edited videos.

    One of SHARED, such as `shared/train_shared.edit`, leads to those of every clip.
    """
    _, *folders, job = stage.split("/")
    if job.startswith(FOR_OTHERS):
        return False
    if folders and folders[0] not in (edit, *RESERVED_METHOD_NAMES):
        return False
    if folders[1:] and folders[0] == edit and folders[1] not in (method, *RESERVED_METHOD_NAMES):
        return False
    rule, _, mask = job.partition(".")
    if is_outside(method):
        return not rule.startswith(FOR_OURS)
    if not mask or method not in BUILT_IN_METHODS:
        return True
    known = MethodSection.model_validate(BUILT_IN_METHODS[method])
    own = rule.endswith("_own") or mask.startswith("own_")
    return mask.removeprefix("own_") in (known.train_mask, known.generate_mask) and not (own and known.shared_lora)
