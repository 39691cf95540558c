# What ./batch relies on: one run at a time on a results folder, and what a run plans to make.
# In: EXPECTED, the planned jobs. Out: RESULTS/.batch/lock, plan.json.
import os
import time

from lib.batch_files import batch_file
from lib.batch_lock import take_lock
from lib.files import write_json
from lib.processes import MARK

LOCKS = []  # held until Snakemake ends


def begin():
    """Refuse to run beside a driver of ./batch, and note what is to be made for `./batch status`."""
    results = Path(SETTINGS.results)
    if MARK not in os.environ:  # else the driver that started this holds the lock
        try:
            LOCKS.append(take_lock(results))
        except InputError as error:
            refuse(error.problems)
    to_do = [list(job.wildcards) for job in workflow.dag.needrun_jobs() if job.rule.name == "evaluate"]
    plan = {"begun": time.time(), "expected": EXPECTED, "to_do": to_do, "remaining": 0}
    write_json(batch_file(results, "plan.json"), plan)


onstart:
    begin()
