"""Train the LoRA that all clips start from."""

from lib.stages.job import run_stage
from lib.stages.train_shared import train_shared

run_stage(train_shared, snakemake)
