"""Encode what an edit is generated from, and its references for stage 2."""

from lib.stages.encode_edit import encode_edit
from lib.stages.job import run_stage

run_stage(encode_edit, snakemake)
