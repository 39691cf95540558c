"""Which clips a cluster's job is of: it need not look at the others, and there may be thousands."""

from collections.abc import Sequence
from itertools import takewhile

OPTION = "--target-jobs"  # of the Snakemake that a cluster's job runs: RULE:WILDCARD=VALUE,... for each of a group


def clips_of_targets(command: Sequence[str]) -> set[str] | None:
    """Return the ids of the clips that a job is of; None: of all, as what gathers a batch.

    Snakemake knows its targets only after it has read the rules, but its command line tells.

    Args:
        command: the words of a job's command.
    """
    if OPTION not in command:
        return None
    targets = takewhile(lambda word: not word.startswith("-"), command[command.index(OPTION) + 1 :])
    clips = [_clip_of(target) for target in targets]
    return None if None in clips else {clip for clip in clips if clip} or None


def _clip_of(target: str) -> str | None:
    wildcards = target.partition(":")[2].split(",")
    return next((word.removeprefix("clip=") for word in wildcards if word.startswith("clip=")), None)
