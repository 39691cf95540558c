# The image that jobs run in where a run asks for one, with `--sdm apptainer`; docs/snakemake.md builds it.
# In: the setting `container`. Out: the image of every rule.
from snakemake.settings.types import DeploymentMethod

# Snakemake would run the jobs without any, and say nothing.
if not SETTINGS.container and DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method:
    refuse(
        [Problem("container", "null, with --sdm apptainer", "an image made from envs/Dockerfile (docs/snakemake.md)")]
    )


container: SETTINGS.container
