"""What a run plans and what became of it: which clips come next, and what is noted of them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib.batch.activity import find_stage_files, read_failures, settle_killed
from lib.batch.files import batch_file
from lib.batch.finished import clip_fingerprint, read_finished, remember_finished, report_fingerprint
from lib.batch.status import is_older
from lib.core.clocks import time_on_disk
from lib.core.failures import NO_WORD, read_failure, write_failure
from lib.core.files import read_json_or_nothing, write_json
from lib.core.names import Names
from lib.report.outcomes import Video, is_done, read_last_run

if TYPE_CHECKING:  # it brings PyAV and Pillow, which a driver can do without
    from lib.inputs.clips import Clip


@dataclass(frozen=True)
class Work:
    """What there is to do in a results folder, over all rounds.

    Args:
        clips: those that can be used, by id.
        names: what people call clips and edits, see `lib.core.names`.
        expected: all edited videos of the batch.
        problems: with the inputs, each with the fields of `lib.core.errors.Problem`.
        prompts: that users gave of edits, by `clip id/edit id`.
        bytes_to_come: that the rest of the run adds to the disk.
        run: of `lib.batch.finished.run_fingerprint`.
    """

    results: Path
    clips: "Mapping[str, Clip]"
    names: Names
    expected: Sequence[Video]
    problems: Sequence[Mapping[str, Any]]
    run: str
    prompts: Mapping[str, str] = field(default_factory=dict)
    bytes_to_come: int = 0


@dataclass(frozen=True)
class Round:
    """What Snakemake plans at a time.

    Args:
        chosen: the clips of this round.
        tried: those of earlier rounds of this run.
        later: clips for later rounds.
        only: the clips of this run, where it is of those alone of which something had failed.
        finished: clips that needed nothing when the run began.
        gathers: whether it makes no edit yet, but what the shared LoRA is trained on: a clip that fails there is known
            when the next round chooses what to train it on.
    """

    chosen: list[str]
    tried: list[str]
    later: list[str]
    only: list[str] | None
    finished: Sequence[str] = ()
    gathers: bool = False

    @property
    def num_left(self) -> int:
        """Number of clips for later rounds."""
        return len(self.later)

    @property
    def is_last(self) -> bool:
        """Whether the report comes now."""
        return not self.later


def choose_round(
    clips: Sequence[str], finished: Sequence[str], tried: Sequence[str], only: list[str] | None, slice_size: int
) -> Round:
    """Choose the next clips of a run, in their order.

    Args:
        clips: of the batch.
        finished: need nothing.
        tried: in earlier rounds of this run, whatever became of them.
        only: those to run at all; None: every one.
        slice_size: the most to plan at a time.
    """
    left_out = {*finished, *tried}
    wanted = set(clips if only is None else only)
    waiting = [clip for clip in clips if clip in wanted and clip not in left_out]
    return Round(waiting[:slice_size], list(tried), waiting[slice_size:], only, finished)


def next_round(work: Work, forced: bool, shares: bool = False) -> Round:
    """Choose the next round of a driver's run: a slice of the clips not finished, so that planning stays short.

    Args:
        forced: whether what is finished is made again.
        shares: whether a shared LoRA is still to be trained.
    """
    driver = read_json_or_nothing(batch_file(work.results, "driver.json"))
    earlier = read_json_or_nothing(batch_file(work.results, "plan.json"))
    tried, only = earlier.get("tried", []), earlier.get("only")
    # Each look takes half a millisecond: not once more for each slice, while nothing that clips share has changed.
    looked = earlier.get("finished") if earlier.get("run") == work.run else None
    finished = [] if forced else _find_finished(work) if looked is None else looked
    if only is None and driver.get("only_failed"):
        only = sorted({name.split("/")[0] for name in read_failures(find_stage_files(work.results))})
    chosen = choose_round(list(work.clips), finished, tried, only, driver.get("slice_size", len(work.clips)))
    if shares and chosen.chosen and not earlier.get("gathered"):
        return replace(chosen, chosen=[], later=[*chosen.chosen, *chosen.later], gathers=True)
    return chosen


def _find_finished(work: Work) -> list[str]:
    """Return the clips that were finished and are so still."""
    known = read_finished(work.results)
    clips = [clip for clip in work.clips if clip in known]
    return [clip for clip in clips if known[clip] == clip_fingerprint(work.clips[clip], work.results, work.run)]


def note_plan(work: Work, chosen: Round, to_do: Sequence[Sequence[str]], anew: bool) -> None:
    """Note what is planned, for `./batch status` and for the next round.

    Args:
        to_do: the edited videos that this round makes, beside those of earlier rounds.
        anew: whether a run begins: what was noted of an earlier one is gone.
    """
    path = batch_file(work.results, "plan.json")
    earlier = {} if anew else read_json_or_nothing(path)
    plan = {
        "begun": earlier.get("begun") or time_on_disk(path.parent),
        "run": work.run,
        "only": chosen.only,
        "finished": chosen.finished,
        "expected": work.expected,
        "names": work.names,
        "problems": work.problems,
        "num_problems": len(work.problems),
        "prompts": work.prompts,
        "bytes_to_come": work.bytes_to_come,
        "to_do": [*earlier.get("to_do", []), *to_do],
        "tried": [*chosen.tried, *chosen.chosen],
        "num_left": chosen.num_left,
        "gathered": chosen.gathers or earlier.get("gathered", False),
    }
    write_json(path, plan)


def report_is_due(work: Work, chosen: Round) -> bool:
    """Tell whether a round makes the report: the last one, unless it is there and tells all there is."""
    if chosen.chosen or chosen.gathers:
        return chosen.is_last
    return read_finished(work.results).get("") != report_fingerprint(
        work.expected, work.problems, work.results, work.run
    )


def note_failures(results: Path, failed: Iterable[tuple[str, int]]) -> None:
    """Turn what killed jobs left into failures, also of those that ended before their script could say why.

    Args:
        failed: log and attempt of each job that failed.
    """
    settle_killed(results, nothing_runs=False)
    begun = read_json_or_nothing(batch_file(results, "plan.json")).get("begun", 0.0)
    for log, attempt in failed:  # no node, no environment, no input
        known = read_failure(log)
        if known is None or is_older(known, begun):
            write_failure(log, "other", NO_WORD, attempt, [])


def note_finished(work: Work, chosen: Round, reported: bool, lacking: Collection[str] = ()) -> None:
    """Note which clips of a round are finished now, and the report if it was made.

    Args:
        lacking: clips that something beside their videos is still to be made of.
    """
    run, clips = read_last_run(work.results), set(chosen.chosen)
    missing = {
        video[0] for video in work.expected if video[0] in clips and not is_done(work.results, tuple(video), run)
    }
    missing |= clips & set(lacking)
    finished = [clip for clip in chosen.chosen if clip not in missing]
    prints = {clip: clip_fingerprint(work.clips[clip], work.results, work.run) for clip in finished}
    if reported:
        prints[""] = report_fingerprint(work.expected, work.problems, work.results, work.run)
    remember_finished(work.results, prints, missing)
