# Snakemake's SLURM plugin, put right where it would misread a job or wait for it for ever.
# In: the states that SLURM gives of a run's jobs. Out: what lib/batch/slurm_states.py makes of them.
import snakemake.jobs

from lib.batch.slurm_states import correct_states


def with_true_states(query):
    """Wrap the plugin's question for the states of its jobs."""
    last_seen = {}

    async def query_job_status(command, logger):
        states, seconds = await query(command, logger)
        return (states if states is None else correct_states(states, last_seen)), seconds

    return query_job_status


slurm_plugin = sys.modules.get("snakemake_executor_plugin_slurm")  # Snakemake loads each plugin that is installed
if slurm_plugin and workflow.is_main_process:
    slurm_plugin.query_job_status = with_true_states(slurm_plugin.query_job_status)
    # The plugin speaks of a job that it cannot submit by a name that groups lack; the driver would wait for ever.
    setattr(snakemake.jobs.GroupJob, "rule", property(lambda group: next(iter(group.jobs)).rule))
