"""What a try at an edited first frame changed, where, and which of several to take."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from lib.core.errors import Problem
from lib.masks.differences import change_outside, edit_difference
from lib.video.arrays import Mask, Picture

REMEDY = "another instruction, more editor.num_tries, another editor.seed, or a picture that you edited"


@dataclass(frozen=True)
class Try:
    """What is known of a try.

    Attributes:
        seed: of its noise.
        changed_share: of the picture that training sees, 0 to 1, as it is taken: nothing is changed outside a region.
        outside_delta_e, outside_share: how far the editor changed what lies outside the region, before that was put
            back: mean CIE Lab delta E there, and the share of those pixels; None without a region.
        alignment: how far it came nearer to the instruction than the source, as a difference of CLIP cosines; None: no
            CLIP model is named.
    """

    seed: int
    changed_share: float
    outside_delta_e: float | None = None
    outside_share: float | None = None
    alignment: float | None = None


def measure_try(
    seed: int, source: Picture, made: Picture, taken: Picture, region: Mask | None, threshold: float
) -> Try:
    """Measure a try, but for its alignment.

    Args:
        seed: of its noise.
        source: frame 0, (height, width, 3) uint8 RGB.
        made: by the editor. taken: the same after what lies outside the region was put back.
        region: (height, width), True = to be edited; None: the whole picture may be.
        threshold: colour difference (CIE Lab delta E) from which a pixel counts as edited.
    """
    changed_share = float(edit_difference(source, taken, threshold).mean())
    if region is None:
        return Try(seed, changed_share)
    outside = change_outside(source, made, region, threshold)
    return Try(seed, changed_share, outside["mean_delta_e"], outside["changed_share"])


def rank_tries(tries: Sequence[Try], most_share: float) -> list[int]:
    """Return the places of tries in the list, the best first.

    What changes nothing, or too much, comes last. The others are ranked by each measure that there is, and the least
    mean rank wins, the earlier one of two alike: measures of different units need no weights so.

    Args:
        tries: at least one.
        most_share: of the picture that a try may change, such as `mask.global_share` where a part is meant.
    """
    usable = [one for one in tries if is_usable(one, most_share)] or list(tries)
    middle = median(one.changed_share for one in usable)
    measures: list[Callable[[Try], float]] = [
        lambda one: -(one.alignment or 0.0),  # the nearer to the instruction the better
        lambda one: one.outside_delta_e or 0.0,  # the less beside it the better
        lambda one: abs(one.changed_share - middle),  # of several alike the one that strays is a slip
    ]

    def mean_rank(place: int) -> tuple[bool, float, int]:
        one = tries[place]
        ranks = [
            sum(measure(other) < measure(one) for other in usable) for measure in measures if _tells(measure, usable)
        ]
        return not is_usable(one, most_share), sum(ranks) / max(1, len(ranks)), place

    return sorted(range(len(tries)), key=mean_rank)


def _tells(measure: Callable[[Try], float], tries: Sequence[Try]) -> bool:
    """Tell whether tries differ in a measure at all."""
    return len({measure(one) for one in tries}) > 1


def is_usable(one: Try, most_share: float) -> bool:
    """Tell whether a try changes something, and not too much."""
    return 0 < one.changed_share <= most_share


def why_no_try(tries: Sequence[Try], most_share: float, instruction: str) -> Problem | None:
    """Say why none of the tries is an edit to go on with; None: one is.

    Args:
        tries: at least one.
        most_share: see `rank_tries`.
        instruction: that they follow.
    """
    if any(is_usable(one, most_share) for one in tries):
        return None
    place = f"instruction '{instruction}'"
    num = f"{len(tries)} frame{'s' * (len(tries) > 1)}"
    if all(one.changed_share == 0 for one in tries):
        return Problem(place, f"no change in any of {num} that were made", REMEDY)
    least = min(one.changed_share for one in tries if one.changed_share > 0)
    found = f"a change of at least {least:.0%} of the picture in each of {num} that were made, where a part is meant"
    return Problem(place, found, f"at most {most_share:.0%} (mask.global_share): {REMEDY}")
