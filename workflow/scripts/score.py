"""Measure one further score of an edited video, apart from all others."""

from lib.stages.job import run_stage
from lib.stages.score import score

run_stage(score, snakemake)
