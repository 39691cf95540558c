"""Make an edited frame that is given as an instruction: the first one, or a reference."""

from lib.stages.edit_first_frame import edit_first_frame
from lib.stages.job import run_stage

run_stage(edit_first_frame, snakemake)
