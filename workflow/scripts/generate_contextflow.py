"""Edit a clip with VACE, a model of others, from what our methods are given."""

from lib.stages.generate_contextflow import generate_contextflow
from lib.stages.job import run_stage

run_stage(generate_contextflow, snakemake)
