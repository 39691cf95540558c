"""Which clips a job of a cluster is about: the workflow, read anew for each job, need look at no others."""

import re
from collections.abc import Sequence
from itertools import takewhile

TARGETS = "--target-jobs"  # Snakemake's own: what follows are the job's RULE:WILDCARD=VALUE,..., several in a group
CLIP = re.compile(r"[:,]clip=([^,]+)")


def clips_of_job(arguments: Sequence[str]) -> set[str] | None:
    """Return the ids of a job's clips.

    Args:
        arguments: of Snakemake where it runs one job, or a group of them.

    Returns:
        None where a job is about no clip, as the report, or none is named: that may be about all.
    """
    if TARGETS not in arguments:
        return None
    jobs = takewhile(lambda word: not word.startswith("--"), arguments[arguments.index(TARGETS) + 1 :])
    clips = [CLIP.search(job) for job in jobs]
    return {clip[1] for clip in clips if clip} if clips and all(clips) else None
