"""Find the objects of a clip and its motion, once for all its edits."""

from lib.stages.detect_objects import detect_objects
from lib.stages.job import run_stage

run_stage(detect_objects, snakemake)
