"""Encode what a clip gives to the LoRA that all clips start from."""

from lib.stages.encode_shared import encode_shared
from lib.stages.job import run_stage

run_stage(encode_shared, snakemake)
