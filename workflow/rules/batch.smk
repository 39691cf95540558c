# What ./batch relies on: one run at a time on a results folder, and which clips this run of Snakemake plans.
# In: EXPECTED, CLIPS, RESULTS/.batch/driver.json. Out: ROUND, PLANNED; RESULTS/.batch/lock, plan.json, finished.json.
import dataclasses
import os
import time

from lib.batch.files import batch_file
from lib.core.files import read_json_or_nothing
from lib.batch.lock import take_lock, this_process, write_driver
from lib.batch.plan import (
    Round,
    choose_round,
    clip_fingerprint,
    read_finished,
    remember_finished,
    report_fingerprint,
    run_fingerprint,
)
from lib.batch.activity import find_stage_files, read_failures, settle_killed
from lib.batch.status import is_done, is_older
from lib.core.failures import NO_WORD, read_failure, write_failure
from lib.core.files import write_json
from lib.batch.processes import MARK

RESULTS = Path(SETTINGS.results)
HAS_DRIVER = MARK in os.environ and workflow.is_main_process
ROUND_MARK = batch_file(RESULTS, "round")  # the last job of a round makes it, so that there is one in each
IS_FORCED = not {"-F", "--forceall", "-f", "--force", "-R", "--forcerun"}.isdisjoint(sys.argv)
LOCKS = []  # held until Snakemake ends
PROBLEMS = [dataclasses.asdict(problem) for problem in BATCH.problems]
RUN = run_fingerprint(SETTINGS.model_dump_json(), ROOT) if HAS_DRIVER else ""


def plan_round():
    """Choose the clips of this run: all of them, or under a driver the next slice of those not finished."""
    if not HAS_DRIVER:
        return Round(list(CLIPS), [], 0)
    ROUND_MARK.unlink(missing_ok=True)
    driver, known = read_json_or_nothing(batch_file(RESULTS, "driver.json")), read_finished(RESULTS)
    earlier = read_json_or_nothing(batch_file(RESULTS, "plan.json"))
    tried = earlier.get("tried", [])
    looked_at = [] if IS_FORCED else [clip for clip in known.keys() - set(tried) if clip in CLIPS]
    finished = [clip for clip in looked_at if known[clip] == clip_fingerprint(CLIPS[clip], RESULTS, RUN)]
    only = earlier.get("only")
    if only is None and driver.get("only_failed"):
        only = sorted({name.split("/")[0] for name in read_failures(find_stage_files(RESULTS))})
    chosen = choose_round(list(CLIPS), finished, tried, only, driver.get("slice_size", len(CLIPS)))
    write_plan(chosen, {**earlier, "only": only})
    return chosen


def write_plan(chosen, earlier):
    """Note what is planned, for `./batch status` and for the next round."""
    plan = {"begun": time.time(), "to_do": [], **earlier, "expected": EXPECTED, "num_problems": len(PROBLEMS)}
    tried = [*chosen.tried, *chosen.chosen]
    write_json(batch_file(RESULTS, "plan.json"), {**plan, "tried": tried, "num_left": chosen.num_left})


def report_is_due():
    """Tell whether the report is to be made: in the last round, unless it is there and tells all there is."""
    if not HAS_DRIVER or ROUND.chosen:
        return ROUND.is_last
    return read_finished(RESULTS).get("") != report_fingerprint(EXPECTED, PROBLEMS, RESULTS, RUN)


ROUND = plan_round()
PLANNED = [names for names in EXPECTED if names[0] in set(ROUND.chosen)]


def begin():
    """Refuse to run beside a driver of ./batch, and note what is to be made."""
    if not HAS_DRIVER:  # else the driver that started this holds the lock
        try:
            LOCKS.append(take_lock(RESULTS))
            write_driver(RESULTS, {**this_process(), "is_bare": True})
        except InputError as error:
            refuse(error.problems)
    earlier = read_json_or_nothing(batch_file(RESULTS, "plan.json")) if HAS_DRIVER else {}
    to_do = [list(job.wildcards) for job in workflow.dag.needrun_jobs() if job.rule is rules.evaluate.rule]
    write_plan(ROUND, {**earlier, "to_do": [*earlier.get("to_do", []), *to_do]})


def end(reported):
    """Turn what killed jobs left into failures; under a driver, note which clips are finished."""
    settle_killed(RESULTS, nothing_runs=False)
    plan = read_json_or_nothing(batch_file(RESULTS, "plan.json"))
    for job in workflow.scheduler.failed:  # some end before their script can say why: no node, no environment, no input
        if job.is_group() or not job.log or (known := read_failure(job.log[0])) and not is_older(known, plan["begun"]):
            continue
        if not Path(job.log[0]).is_relative_to(RESULTS):  # a rule of a workflow that has this one as a module
            continue
        write_failure(job.log[0], "other", NO_WORD, job.attempt, [])
    if not HAS_DRIVER or all(job.rule.name != "round" for job in workflow.dag.jobs):  # a run of some files alone
        return
    to_do = {tuple(names) for names in plan["to_do"]}
    missing = {names[0] for names in PLANNED if not is_done(RESULTS, names, plan["begun"] if names in to_do else 0)}
    finished = [clip for clip in ROUND.chosen if clip not in missing]
    fingerprints = {clip: clip_fingerprint(CLIPS[clip], RESULTS, RUN) for clip in finished}
    if reported:
        fingerprints[""] = report_fingerprint(EXPECTED, PROBLEMS, RESULTS, RUN)
    remember_finished(RESULTS, fingerprints, missing)


def show_where():
    """Print where the report lies, and again what was left out."""
    print(f"\nReport: {(Path(SETTINGS.results) / 'report' / 'index.html').resolve()}", file=sys.stderr)
    if BATCH.problems:
        print(
            f"{len(BATCH.problems)} input problems: some clips or edits were left out, see the report.", file=sys.stderr
        )


onstart:
    begin()
