"""Find what an edit changes and follow it; or take the user's own masks."""

from lib.stages.job import run_stage
from lib.stages.segment_masks import segment_masks

run_stage(segment_masks, snakemake)
