"""Measure an edited video, beside the VAE round trip and the unedited copy of the source."""

from lib.stages.evaluate import evaluate
from lib.stages.job import run_stage

run_stage(evaluate, snakemake)
