"""Encode a clip for stage 1."""

from lib.stages.encode_source import encode_source
from lib.stages.job import run_stage

run_stage(encode_source, snakemake)
