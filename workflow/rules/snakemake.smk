# Where Snakemake 9.27 needs help with large batches, and with inputs that vanish in mid-run.
# In: Snakemake's own modules. Out: the same, with a few functions replaced.
import functools
import gc
import os
import threading

import snakemake.executors.local
import snakemake.scheduling.job_scheduler
import snakemake.sourcecache
from snakemake.exceptions import WorkflowError, print_exception
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

# Planning makes millions of objects that stay: looking for garbage among them takes a quarter of the time.
gc.set_threshold(500_000, 50, 1000)
# Snakemake parses the path of the script anew for each job, another sixth; the answer for a path is always the same.
snakemake.sourcecache.parse_uri = functools.lru_cache(maxsize=None)(snakemake.sourcecache.parse_uri)


def look_again(scheduler, delay, waiting=set()):
    """Wake the scheduler once after so many seconds, however many ask for it meanwhile.

    Snakemake 9.27 starts a timer in each round of its loop, each of which starts another round: one more for ever with
    each job that ends. After a thousand jobs the driver took a whole core, and a thread for each.
    """
    if waiting:
        return
    waiting.add(scheduler)

    def wake():
        waiting.clear()
        scheduler._open_jobs.release()

    timer = threading.Timer(delay, wake)
    timer.daemon = True
    timer.start()


snakemake.scheduling.job_scheduler.JobScheduler._schedule_reevalutation = look_again


def run_or_fail(executor, job, run_job=snakemake.executors.local.Executor.run_job):
    """Let a job whose input has vanished fail alone: without this it ends the whole run, keep-going or not."""
    try:
        run_job(executor, job)
    except (WorkflowError, OSError) as error:
        from lib.core.failures import write_failure  # here: the path to lib is set later

        print_exception(error, executor.workflow.linemaps)
        missing = [path for path in job.input if not os.path.lexists(path)]
        reason = f"inputs that have vanished since the run began: {', '.join(missing)}" if missing else str(error)
        if job.log:
            write_failure(job.log[0], "input" if missing else "other", reason, job.attempt, [])
        executor.report_job_error(SubmittedJobInfo(job=job))


snakemake.executors.local.Executor.run_job = run_or_fail
