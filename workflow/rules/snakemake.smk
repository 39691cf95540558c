# All that reaches into private parts of Snakemake and of its SLURM plugin: what large batches and real clusters need.
# In: their modules, of the versions in TESTED. Out: the same, with a few functions replaced.
import functools
import importlib.metadata
import os
import sys
import threading

import snakemake.executors.local
import snakemake.jobs
import snakemake.scheduling.job_scheduler
import snakemake.sourcecache
from packaging.version import Version
from snakemake.exceptions import WorkflowError, print_exception
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

from lib.batch.slurm_states import correct_states
from lib.batch.slurm_words import is_plain
from lib.core.failures import write_failure

SLURM_PLUGIN = "snakemake-executor-plugin-slurm"
# The versions that every patch below was tested with: from the first on, below the second. With others it is left out.
TESTED = {"snakemake": ("9.27", "9.28"), SLURM_PLUGIN: ("2.8", "2.9")}


def may_patch(package, without):
    """Tell whether a package is of a tested version; say on stderr, once in a run, what it means where it is not.

    Args:
        package: its name, of TESTED.
        without: what happens without the patch, for people.
    """
    version, (first, end) = importlib.metadata.version(package), TESTED[package]
    tested = Version(first) <= Version(version) < Version(end)
    if not tested and workflow.is_main_process:
        print(f"{package} {version} is left as it is (tested: {first} to below {end}): {without}", file=sys.stderr)
    return tested


# Snakemake parses the path of the script anew for each job: 11 s instead of 9 s until the first of 1,000 clips. The
# answer for a path is always the same.
if may_patch("snakemake", "planning 1,000 clips takes about 2 s longer"):
    snakemake.sourcecache.parse_uri = functools.lru_cache(maxsize=None)(snakemake.sourcecache.parse_uri)


def look_again(scheduler, delay, waiting=set()):
    """Wake the scheduler once after so many seconds, however many ask for it meanwhile."""
    if waiting:
        return
    waiting.add(scheduler)

    def wake():
        waiting.clear()
        scheduler._open_jobs.release()

    timer = threading.Timer(delay, wake)
    timer.daemon = True
    timer.start()


# Snakemake starts a timer in each round of its loop, each of which starts another round: one more for ever with each
# job that ends. After a thousand jobs the driver took a whole core, and a thread for each.
if may_patch("snakemake", "after a thousand jobs it may take a processor core for itself"):
    snakemake.scheduling.job_scheduler.JobScheduler._schedule_reevalutation = look_again


def run_or_fail(executor, job, run_job=snakemake.executors.local.Executor.run_job):
    """Let a job whose input has vanished fail alone."""
    try:
        run_job(executor, job)
    except (WorkflowError, OSError) as error:
        print_exception(error, executor.workflow.linemaps)
        missing = [path for path in job.input if not os.path.lexists(path)]
        reason = f"inputs that have vanished since the run began: {', '.join(missing)}" if missing else str(error)
        if job.log:
            write_failure(job.log[0], "input" if missing else "other", reason, job.attempt, [])
        executor.report_job_error(SubmittedJobInfo(job=job))


# Snakemake ends the whole run, keep-going or not, when an input has vanished since it was planned.
if may_patch("snakemake", "an input that vanishes in mid-run ends the whole run, not its clip alone"):
    snakemake.executors.local.Executor.run_job = run_or_fail


def job_waits(job, skip_input_files=False, wait_for=snakemake.jobs.Job.get_wait_for_files):
    """Name the files that a cluster's job waits for, but for those that a shell would read: they are a user's own."""
    return [path for path in wait_for(job, skip_input_files) if is_plain(path)]


def group_waits(group, wait_for=snakemake.jobs.GroupJob.get_wait_for_files):
    """The same for a group of jobs."""
    return [path for path in wait_for(group) if is_plain(path)]


# Snakemake names all inputs of a job in the command line that submits it, in which a shell reads `$(...)`, backticks
# and quotes: a clip's folder could run commands. They were there when the run began, so that nothing waits for them.
HIDES_PATHS = may_patch("snakemake", "on SLURM a clip is refused if a shell would read the path of a file of its")
if HIDES_PATHS:
    snakemake.jobs.Job.get_wait_for_files = job_waits
    snakemake.jobs.GroupJob.get_wait_for_files = group_waits


def with_true_states(query):
    """Wrap the SLURM plugin's question for the states of its jobs."""
    last_seen = {}

    async def query_job_status(command, logger):
        states, seconds = await query(command, logger)
        return (states if states is None else correct_states(states, last_seen)), seconds

    return query_job_status


slurm_plugin = sys.modules.get("snakemake_executor_plugin_slurm")  # Snakemake loads each plugin that is installed
if slurm_plugin and workflow.is_main_process:
    # The plugin takes preempted jobs for failed ones, and waits for ever for those that SLURM has forgotten.
    if may_patch(SLURM_PLUGIN, "a preempted job may cost a retry; one that SLURM forgot is waited for without end"):
        slurm_plugin.query_job_status = with_true_states(slurm_plugin.query_job_status)
    # The plugin speaks of a job that it cannot submit by a name that groups lack; the driver would wait for ever.
    if may_patch(SLURM_PLUGIN, "a group of jobs that cannot be submitted is waited for without end"):
        setattr(snakemake.jobs.GroupJob, "rule", property(lambda group: next(iter(group.jobs)).rule))
