"""Fine-tune a LoRA: stage decouple on the clip, stage appearance on an edit's references as well."""

from lib.stages.job import run_stage
from lib.stages.train_lora import train_lora

run_stage(train_lora, snakemake)
