"""Make the edited first frame of an edit that is given as an instruction."""

from lib.stages.edit_first_frame import edit_first_frame
from lib.stages.job import run_stage

run_stage(edit_first_frame, snakemake)
