"""What the method claims, each held against the truth: scene by scene, one output beside another."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import pandas as pd

from demo.evaluation.batch import DRIFTED, MOVING
from demo.evaluation.rows import VAE_CEILING
from demo.evaluation.scenes import WITH_REFERENCE, WITHOUT_REFERENCE
from demo.evaluation.table import DRIFT_MEASURES, MEASURES, markdown

ALL_MEASURES = {**MEASURES, **DRIFT_MEASURES}
CERTAIN = 2.0  # standard errors of the mean difference; less may be chance
LOWER_IS_BETTER = ("centroid_error", "lost_share", "seam", "first_jump")


@dataclass(frozen=True)
class Claim:
    """That one output is better than another by some measure.

    Attributes:
        text: what is claimed, in words.
        scenes: the set it is tested on.
        better, worse: edit and method of the two; an edit of None: each edit, with the same one of the other.
        measure: one of ALL_MEASURES.
        least: by how much it should be better; below 0: by how much it may be worse.
    """

    text: str
    scenes: str
    better: tuple[str | None, str]
    worse: tuple[str | None, str]
    measure: str
    least: float = 0.0


def _main(text: str, better: str, worse: str, measure: str, least: float = 0.0) -> Claim:
    return Claim(text, "main", (None, better), (None, worse), measure, least)


def _moving(text: str, better: str, worse: str, measure: str, least: float = 0.0) -> Claim:
    return Claim(text, MOVING, (None, better), (None, worse), measure, least)


CLAIMS = (
    _main("The base model does not follow the source's motion; mask_lora does", "mask_lora", "base", "centroid_error"),
    _main("Told to keep all, the base model keeps the background better", "all_ones", "base", "kept_psnr"),
    _main("... but not the edit: mask_lora's is better", "mask_lora", "all_ones", "edit_psnr"),
    _main(
        "Told to keep nothing, it keeps less than told to keep the background", "base_masked", "all_zeros", "kept_psnr"
    ),
    _main("Told to keep the background, the base model keeps it", "base_masked", "base", "kept_psnr"),
    _main("... but the edited region needs the LoRA", "mask_lora", "base_masked", "edit_psnr"),
    _main("The mask keeps the background where a naive LoRA leaks: 3 dB", "mask_lora", "naive_lora", "kept_psnr", 3.0),
    _moving("... and under a moving camera", "mask_lora", "naive_lora", "kept_psnr", 3.0),
    _main("mask_lora's background is within 1 dB of the VAE's ceiling", "mask_lora", VAE_CEILING, "kept_psnr", -1.0),
    _main("mask_lora's edited region is no worse than a naive LoRA's", "mask_lora", "naive_lora", "edit_psnr", -0.2),
    _moving("... nor under a moving camera", "mask_lora", "naive_lora", "edit_psnr", -0.2),
    _main("Loose boxes are better than tight masks", "mask_lora", "tight_mask", "edit_psnr"),
    _main("Noisy masks are better than tight masks", "noisy_mask", "tight_mask", "edit_psnr"),
    _main("Locked latents (mask_lora) keep the background better", "mask_lora", "unlocked", "kept_psnr"),
    _main("... and cost the edited region nothing", "mask_lora", "unlocked", "edit_psnr", -0.1),
    _main("Compositing costs the edited region nothing", "composited", "unlocked", "edit_psnr", -0.1),
    _main("Compositing leaves no more of a seam", "composited", "unlocked", "seam", -0.1),
    _main("A composite of locked latents has less of a seam", "locked_composited", "composited", "seam"),
    Claim(
        "A reference teaches how the edit looks later: 2 dB",
        "evolving",
        (WITH_REFERENCE, "mask_lora"),
        (WITHOUT_REFERENCE, "mask_lora"),
        "late_edit_psnr",
        2.0,
    ),
    Claim(
        "A LoRA shared by two edits costs the edited region nothing",
        "pairs",
        (None, "mask_lora"),
        (None, "own_lora"),
        "edit_psnr",
        -0.2,
    ),
    Claim("... nor the background", "pairs", (None, "mask_lora"), (None, "own_lora"), "kept_psnr", -0.2),
)


def _drifted(text: str, correction: str, measure: str, least: float = 0.0) -> Claim:
    return Claim(text, DRIFTED, (None, f"mask_lora, {correction}"), (None, "mask_lora, none"), measure, least)


CLAIMS += (
    _drifted("Matching the colours of a drifted first frame lessens the jump after it", "colour", "first_jump"),
    _drifted("... and costs the edited region nothing", "colour", "edit_psnr", -0.1),
    _drifted("Compositing it lessens the jump", "composite", "first_jump"),
)


def claim_table(rows: pd.DataFrame, claims: Sequence[Claim] = CLAIMS) -> str:
    """Write one line for each claim of which both outputs were measured; empty if there is none."""
    lines = []
    for claim in claims:
        better, worse = (_values(rows, claim, output) for output in (claim.better, claim.worse))
        gains = (better - worse).dropna() * (-1 if claim.measure in LOWER_IS_BETTER else 1)
        if len(gains):
            means = [f"{claim_mean(values[gains.index], claim.measure):.1f}" for values in (better, worse)]
            error = gains.std(ddof=1) / sqrt(len(gains)) if len(gains) > 1 else float("inf")
            gain = f"{gains.mean():+.2f} ± {error:.2f}"
            verdict = judge(float(gains.mean()), float(error), claim.least)
            lines.append([claim.text, ALL_MEASURES[claim.measure], *means, gain, str(len(gains)), verdict])
    if not lines:
        return ""
    heading = ["claim", "measure", "first", "second", "better by, ± standard error", "scenes", "holds"]
    return "## Claims\n\n" + markdown(heading, lines)


def claim_mean(values: "pd.Series[float]", measure: str) -> float:
    """Sum up as the other tables do: the median of centroid errors, else the mean."""
    return float(values.median() if measure == "centroid_error" else values.mean())


def judge(gain: float, error: float, least: float) -> str:
    """Say whether a mean gain with its standard error reaches the least one that is claimed."""
    distance = gain - least
    if abs(distance) < CERTAIN * error:
        return "cannot be told" if distance < 0 else "probably"
    return "yes" if distance >= 0 else "no"


def _values(rows: pd.DataFrame, claim: Claim, output: tuple[str | None, str]) -> "pd.Series[float]":
    """Return the measure of one output by clip, and by edit where the claim is of each."""
    edit, method = output
    chosen = rows[(rows["set"] == claim.scenes) & (rows["method"] == method)]
    if edit is None:
        return chosen.set_index(["clip", "edit"])[claim.measure]
    return chosen[chosen["edit"] == edit].set_index("clip")[claim.measure]
