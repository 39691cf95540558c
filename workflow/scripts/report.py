"""Write metrics.csv and the report page."""

from pathlib import Path

from lib.core.provenance import package_versions
from lib.report.page import write_report
from lib.report.table import write_metrics_table
from lib.stages.log import stage_log

params, outputs = snakemake.params, snakemake.output
with stage_log(snakemake.log[0], "report", snakemake.resources.attempt):
    results = Path(outputs.table).parent
    write_metrics_table(results, params.expected, Path(outputs.table))
    write_report(results, params.expected, params.problems, params.title, package_versions(), Path(outputs.page))
