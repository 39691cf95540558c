"""Describe a picture in words."""

from lib.stages.caption import caption
from lib.stages.job import run_stage

run_stage(caption, snakemake)
