"""Describe each reference of an edit in words."""

from lib.stages.caption_references import caption_references
from lib.stages.job import run_stage

run_stage(caption_references, snakemake)
