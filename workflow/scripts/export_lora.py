"""Write a LoRA once more, under the names that another program reads."""

from lib.stages.export_lora import export_lora
from lib.stages.job import run_stage

run_stage(export_lora, snakemake)
