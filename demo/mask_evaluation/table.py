"""Sum up the rows of all scenes in one table for people."""

import pandas as pd

from demo.evaluation.table import markdown
from demo.mask_evaluation.measures import ENOUGH

HEADING = (
    "case",
    "scenes",
    "mean recall",
    f"no frame under {ENOUGH}",
    "worst scene: its lowest recall",
    "area ratio",
    "confidence",
    "methods",
    "s/scene",
)
APART = ("cut", "global")  # cases that ask for something else than following a region


def case_table(rows: pd.DataFrame) -> str:
    """Write one line for each case, and one for all but those APART."""
    lines = [_line(str(case), of_case) for case, of_case in rows.groupby("case", sort=False)]
    together = rows[~rows["case"].isin(APART)]
    if len(together):
        lines.append(_line("all", together))
    return markdown(HEADING, lines)


def describe_cases_apart(rows: pd.DataFrame) -> list[str]:
    """Say what the table has no column for: how much is masked after a cut, and what is seen as a global edit."""
    sentences = []
    cuts = rows[rows["case"] == "cut"]
    if len(cuts):
        clean = int((cuts["area_after_cut"] == 0).sum())
        sentences.append(
            f"After a cut {cuts['area_after_cut'].mean():.1%} of the frame is masked on average; "
            f"nothing in {clean} of {len(cuts)} scenes."
        )
    if (rows["case"] == "global").any():
        whole = rows[rows["case"] == "global"]["says_whole_frame"]
        sentences.append(f"An edit of the whole frame is called that in {int(whole.sum())} of {len(whole)} scenes.")
    others = rows[rows["case"] != "global"]
    if len(others):
        sentences.append(
            f"Any other edit is called that in {int(others['says_whole_frame'].sum())} of {len(others)} scenes."
        )
    return sentences


def _line(case: str, rows: pd.DataFrame) -> list[str]:
    worst = rows.loc[rows["lowest_recall"].idxmin()]
    methods = rows["method"].value_counts()
    return [
        case,
        str(len(rows)),
        f"{rows['mean_recall'].mean():.4f}",
        f"{(rows['lowest_recall'] >= ENOUGH).mean():.0%}",
        f"{worst['name']}: {worst['lowest_recall']:.3f}",
        f"{rows['area_ratio'].mean():.2f}",
        f"{rows['confidence'].mean():.3f}",
        ", ".join(f"{method} {number}" for method, number in methods.items()),
        f"{rows['seconds'].mean():.2f}",
    ]
