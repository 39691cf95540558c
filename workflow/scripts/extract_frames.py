"""Sample, resize and crop the source; keep it without loss, with its sound."""

from lib.stages.extract_frames import extract_frames
from lib.stages.job import run_stage

run_stage(extract_frames, snakemake)
