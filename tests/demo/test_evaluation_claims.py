"""Claims are judged by paired differences with their standard errors."""

import pandas as pd
import pytest

from demo.evaluation.claims import ALL_MEASURES, CLAIMS, Claim, claim_table, judge
from lib.config.methods import BUILT_IN_METHODS


@pytest.mark.parametrize(
    ("gain", "error", "least", "verdict"),
    [
        (1.0, 0.1, 0.0, "yes"),
        (1.0, 0.1, 3.0, "no"),
        (0.1, 0.1, 0.0, "probably"),
        (-0.1, 0.1, 0.0, "cannot be told"),
        (-0.3, 0.1, -1.0, "yes"),
        (-1.5, 0.1, -1.0, "no"),
    ],
)
def test_a_verdict_needs_two_standard_errors(gain: float, error: float, least: float, verdict: str) -> None:
    """By hand: far above what is claimed, far below, and too near to tell."""
    assert judge(gain, error, least) == verdict


def test_a_claim_compares_scene_by_scene() -> None:
    """By hand: gains of 1 and 3 dB, mean 2 with a standard error of 1; a scene that one method lacks is left out."""
    scores = [("a", "good", 11.0), ("a", "bad", 10.0), ("b", "good", 33.0), ("b", "bad", 30.0), ("c", "good", 99.0)]
    rows = pd.DataFrame(
        [
            {"set": "main", "clip": clip, "edit": "edit", "method": name, "edit_psnr": psnr}
            for clip, name, psnr in scores
        ]
    )
    claim = Claim("good is better", "main", (None, "good"), (None, "bad"), "edit_psnr")
    table = claim_table(rows, [claim])
    assert "| good is better | edit dB | 22.0  | 20.0   | +2.00 ± 1.00" in table
    assert "| 2      | yes" in table
    assert claim_table(rows[rows["method"] == "good"], [claim]) == ""


def test_lower_is_better_for_errors() -> None:
    """A smaller centroid error counts as a gain."""
    rows = pd.DataFrame(
        [
            {"set": "main", "clip": clip, "edit": "edit", "method": name, "centroid_error": error}
            for clip in "abc"
            for name, error in (("good", 2.0), ("bad", 30.0))
        ]
    )
    claim = Claim("it follows", "main", (None, "good"), (None, "bad"), "centroid_error")
    assert "| +28.00 ± 0.00" in claim_table(rows, [claim]) and "| yes" in claim_table(rows, [claim])


def test_claims_name_what_exists() -> None:
    """Methods, sets and measures of every claim are known ones."""
    for claim in CLAIMS:
        assert claim.scenes in ("main", "moving", "evolving", "pairs", "drifted") and claim.measure in ALL_MEASURES
        for _, method in (claim.better, claim.worse):
            assert method.partition(",")[0] in BUILT_IN_METHODS or method == "VAE ceiling"
