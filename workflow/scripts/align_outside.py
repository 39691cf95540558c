"""Bring a video that another tool made for an edit to the clip's size, time and length."""

from lib.stages.align_outside import align_outside
from lib.stages.job import run_stage

run_stage(align_outside, snakemake)
