"""Generate an edited video from its encoded first frame, source background and mask."""

from lib.stages.generate import generate
from lib.stages.job import run_stage

run_stage(generate, snakemake)
