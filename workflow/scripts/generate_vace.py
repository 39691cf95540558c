"""Edit a clip with VACE, a model of others, from what our methods are given."""

from lib.stages.generate_vace import generate_vace
from lib.stages.job import run_stage

run_stage(generate_vace, snakemake)
