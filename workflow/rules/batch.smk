# What ./batch relies on: one run at a time on a results folder, and which clips this run of Snakemake plans.
# In: EXPECTED, CLIPS, RESULTS/.batch/driver.json. Out: ROUND, PLANNED; RESULTS/.batch/lock, plan.json, finished.json.
# A dry run (-n) writes nothing: it has no driver, and its onstart, onsuccess and onerror are not run.
import dataclasses
import os

from lib.batch.finished import run_fingerprint
from lib.batch.lock import take_lock, this_driver, write_driver
from lib.batch.plan import Round, Work, next_round, note_failures, note_finished, note_plan, report_is_due
from lib.batch.processes import MARK
from lib.core.files import read_json_or_nothing
from lib.inputs.decisions import keep_decisions
from lib.inputs.disk import bytes_for_a_while, bytes_to_come, check_disk

RESULTS = Path(SETTINGS.results)
HAS_DRIVER = MARK in os.environ and workflow.is_main_process
ROUND_MARK = batch_file(RESULTS, "round")  # the last job of a round makes it, so that there is one in each
IS_FORCED = not {"-F", "--forceall", "-f", "--force", "-R", "--forcerun"}.isdisjoint(sys.argv)
LOCKS = []  # held until Snakemake ends
PROBLEMS = [dataclasses.asdict(problem) for problem in BATCH.problems]
RUN = run_fingerprint(SETTINGS.model_dump_json(), MODEL_FILES.parts, ROOT) if HAS_DRIVER else ""
PROMPTS = {f"{clip}/{edit}": given.prompt for (clip, edit), given in EDITS.items() if given.prompt is not None}
WORK = Work(RESULTS, CLIPS, BATCH.names, EXPECTED, PROBLEMS, RUN, PROMPTS)

ROUND = next_round(WORK, IS_FORCED, shares=bool(TO_SHARE)) if HAS_DRIVER else Round(list(CLIPS), [], [], None)
HAS_BEGUN = HAS_DRIVER and bool(read_json_or_nothing(batch_file(RESULTS, "plan.json")).get("to_do"))

if workflow.is_main_process:  # what is there already, and clips that are finished, ask for no room again
    now, later = ([CLIPS[clip] for clip in clips] for clips in (ROUND.chosen, ROUND.later))
    slots = workflow.resource_settings
    at_once = slots.nodes or slots.cores or 1
    if NUM_GPUS and (gpus := slots.resources.get("gpu")):
        at_once = min(at_once, int(getattr(gpus, "value", gpus)))  # older versions of Snakemake give a plain number
    needed = bytes_to_come(SETTINGS, LAYOUT, now, later) + bytes_for_a_while(SETTINGS, LAYOUT, now + later, at_once)
    WORK = dataclasses.replace(WORK, bytes_to_come=needed)
    # In mid-run what is to stay free is there for what was estimated too low: only what cannot fit is refused.
    if too_little := check_disk(RESULTS, needed, 0 if HAS_BEGUN else SETTINGS.min_free_disk):
        refuse(too_little)  # before a plan is noted: the driver then tries no other slice either

HAS_REPORT = True
if HAS_DRIVER:
    # Before Snakemake plans it: a slice that it cannot plan has been tried all the same, and the others go on.
    note_plan(WORK, ROUND, [], anew=False)
    HAS_REPORT = report_is_due(WORK, ROUND)
CHOSEN = set(ROUND.chosen)
PLANNED = [names for names in EXPECTED if names[0] in CHOSEN]


def begin():
    """Refuse to run beside a driver of ./batch, and note what is to be made."""
    if workflow.executor_plugin.name == "slurm":
        refuse_slurm_words()
    if not HAS_DRIVER:  # else the driver that started this holds the lock
        try:
            LOCKS.append(take_lock(RESULTS))
            write_driver(RESULTS, {**this_driver(), "is_bare": True})
        except InputError as error:
            refuse(error.problems)
    keep_decisions(DECIDED, KEPT_DECISIONS)
    measures = (rules.evaluate.rule, rules.evaluate_outside.rule, rules.score.rule)
    jobs = [job.wildcards for job in workflow.dag.needrun_jobs() if job.rule in measures]
    to_do = [list(names) for names in dict.fromkeys((one.clip, one.edit, one.method) for one in jobs)]
    note_plan(WORK, ROUND, to_do, anew=not HAS_DRIVER)


def end(reported):
    """Note what failed; under a driver, note which clips are finished, unless just some files were asked for."""
    failed = [(job.log[0], job.attempt) for job in workflow.scheduler.failed if not job.is_group() and job.log]
    # Not of a workflow that has this one as a module: its rules' logs are elsewhere.
    note_failures(RESULTS, [(log, attempt) for log, attempt in failed if Path(log).is_relative_to(RESULTS)])
    if HAS_DRIVER and any(job.rule.name == "round" for job in workflow.dag.jobs):
        note_finished(WORK, ROUND, reported, [names[0] for names in PLANNED if not are_exported([names])])


def show_where():
    """Print where the report lies, and again what was left out."""
    print(f"\nReport: {(Path(SETTINGS.results) / 'report' / 'index.html').resolve()}", file=sys.stderr)
    if BATCH.problems:
        print(
            f"{len(BATCH.problems)} input problems: some clips or edits were left out, see the report.", file=sys.stderr
        )
    if EARLIER:
        print(describe_earlier(RESULTS, EARLIER), file=sys.stderr)


onstart:
    begin()
