"""Write metrics.csv and the report page."""

from lib.stages.job import run_stage
from lib.stages.report import report

run_stage(report, snakemake)
