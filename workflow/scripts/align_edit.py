"""Bring an edited first frame and its references to the source's crop."""

from lib.stages.align_edit import align_edit
from lib.stages.job import run_stage

run_stage(align_edit, snakemake)
