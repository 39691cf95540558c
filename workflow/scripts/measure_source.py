"""Measure of a clip what its edits are compared with, once for all of them."""

from lib.stages.job import run_stage
from lib.stages.measure_source import measure_source

run_stage(measure_source, snakemake)
