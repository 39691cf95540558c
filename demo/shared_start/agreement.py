"""Which of the product's scores order methods as the exact truth does: `python -m demo.shared_start.agreement`.

People choose between methods by scores of videos whose truth nobody knows. Here it is known: each held-out scene is
edited by methods from useless to good, every score is measured as the workflow does, and Spearman's rank correlation
says how nearly a score's order of the methods is the truth's, scene by scene.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from demo.evaluation.measures import measure_video, region_psnr
from demo.evaluation.scenes import main_scenes, moving_scenes
from demo.evaluation.table import markdown
from demo.shared_start.arms import NAIVE, Arm
from demo.shared_start.cases import Case, prepare
from demo.shared_start.work import Worker
from lib.core.project import ROOT
from lib.metrics.motion import measure_motion
from lib.metrics.similarity import ClipEncoder, embed_frames, load_clip
from lib.metrics.video import evaluate_video
from lib.models.load import load_model

MODELS = ROOT / "demo/models"
DILATION = 4  # of config.yaml's metrics.background_dilation
COPY = "source copy"  # no edit at all: a score that prefers it cannot be trusted alone
SCORES = {
    "clip_score": 1,
    "input_similarity": 1,
    "temporal_consistency": 1,
    "background_psnr": 1,
    "background_ssim": 1,
    "background_jump": -1,
    "seam": -1,
    "warp_error": -1,
    "motion_error": -1,
    "motion_cosine": 1,
}
"""What the workflow measures, and whether more is better (1) or less (-1)."""

TRUTHS = {"whole": 1, "edit": 1, "background": 1, "place": -1}
"""PSNR of the whole frame, of the edited region and of the rest against the truth; the centroid's error in pixels."""


@dataclass(frozen=True)
class Method:
    """A method of a run: an arm of the studies, and the file of the LoRA that it starts from, if it has one."""

    arm: Arm
    start: Path | None


def methods() -> dict[str, Method]:
    """List the methods, from the demo's shipped LoRAs."""
    own = Arm(None, 15, 2e-3, copies=0.33, layers=r"attn1\.")
    none = replace(own, steps=0)
    edit, first_frame = (MODELS / f"shared/{mask}.safetensors" for mask in ("edit", "first_frame"))
    return {
        "mask_lora": Method(own, edit),
        "shared_lora_only": Method(none, edit),
        "naive_lora": Method(replace(own, method=NAIVE), first_frame),
        "naive, shared only": Method(replace(none, method=NAIVE), first_frame),
        "base_masked": Method(replace(none, method="base_masked"), None),
        "base": Method(replace(none, method="base"), None),
    }


def score_video(video: NDArray[np.uint8], case: Case, clip: ClipEncoder) -> dict[str, float]:
    """Measure a video by the product's scores and by the truth, whose names begin with `truth_`."""
    truth = case.truth
    scores = evaluate_video(
        video,
        truth.source,
        case.mask,
        output_embeddings=embed_frames(video, clip),
        source_embeddings=embed_frames(truth.source, clip),
        edited_embedding=embed_frames(truth.edited[:1], clip),
        background_dilation=DILATION,
        source_motion=measure_motion(truth.source),
    )["mean"]
    exact = measure_video(video, truth, case.mask)
    whole = region_psnr(video[1:], truth.edited[1:], np.ones(truth.region[1:].shape, np.bool_))
    true = {"whole": whole, "edit": exact["edit_psnr"], "background": exact["background_psnr"]}
    true["place"] = exact["centroid_error"]
    return {
        **{name: scores[name] if scores[name] is not None else np.nan for name in SCORES},
        **{f"truth_{name}": value for name, value in true.items()},
    }


def measure_scenes(given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Edit and measure the scenes that are not in the rows' file yet; yields a row for each video."""
    path = given.output / "rows.jsonl"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    done = {json.loads(line)["clip"] for line in lines}
    cuda = torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    parts = {"vae", "encoders", "transformer"}
    model = load_model(MODELS / "wan2.1-i2v-tiny", parts, family="wan", device=device, dtype=torch.float32)
    clip, worker = load_clip(str(MODELS / "clip-tiny"), device, download=False), Worker(model, given.output, 0, 1)
    for scene in [*main_scenes(given.scenes), *moving_scenes(given.moving)]:
        if scene.name in done:
            continue
        case, rows = prepare(model, scene), []
        for name, method in methods().items():
            video = worker.edit(case, method.arm, given.seed, method.start)
            rows.append({"clip": scene.name, "method": name, **score_video(video, case, clip)})
        rows.append({"clip": scene.name, "method": COPY, **score_video(case.truth.source, case, clip)})
        with path.open("a", encoding="utf-8") as written:  # all rows of a scene, or none
            written.write("".join(json.dumps(row) + "\n" for row in rows))
        worker.say(f"{scene.name}: {len(rows)} videos measured")
        yield from rows


def correlations(rows: pd.DataFrame) -> dict[tuple[str, str], NDArray[np.float64]]:
    """Return Spearman's correlation of each score with each truth over the methods, one value for each scene.

    Args:
        rows: of one video each: clip, the scores, and the truths.
    """
    signs = SCORES | {f"truth_{name}": sign for name, sign in TRUTHS.items()}
    found: dict[tuple[str, str], list[float]] = {(score, truth): [] for score in SCORES for truth in TRUTHS}
    for _, scene in rows.groupby("clip"):
        ranks = pd.DataFrame({name: scene[name] * sign for name, sign in signs.items()}).corr(method="spearman")
        for score, truth in found:
            found[score, truth].append(float(ranks.loc[score, f"truth_{truth}"]))
    return {pair: np.array([value for value in values if not np.isnan(value)]) for pair, values in found.items()}


def table(rows: pd.DataFrame) -> str:
    """Write the correlations, mean ± standard error over scenes, and how often each score prefers a copy."""
    real = rows[rows["method"] != COPY]
    means = {pair: _mean(values) for pair, values in correlations(real).items()}
    lines = [[score, *(means[score, truth] for truth in TRUTHS), _prefers_copy(rows, score)] for score in SCORES]
    return markdown(["score", *TRUTHS, "prefers a copy of the source"], lines)


def _mean(values: NDArray[np.float64]) -> str:
    if len(values) < 2:
        return "-"
    return f"{values.mean():+.2f} ± {values.std(ddof=1) / np.sqrt(len(values)):.2f}"


def _prefers_copy(rows: pd.DataFrame, score: str) -> str:
    """Return the share of scenes in which the source itself scores higher than every method."""
    signed = rows.assign(value=rows[score] * SCORES[score])
    best: Mapping[Any, Any] = signed[signed["method"] != COPY].groupby("clip")["value"].max().to_dict()
    copies = signed[signed["method"] == COPY].set_index("clip")["value"]
    wins = [bool(value > best[clip]) for clip, value in copies.items() if not np.isnan(value)]
    return f"{np.mean(wins):.0%}" if wins else "-"


def main() -> None:
    """Edit, measure and print the table; run again, it goes on."""
    parser = argparse.ArgumentParser(prog="python -m demo.shared_start.agreement", description="Scores against truth.")
    parser.add_argument("--output", type=Path, default=Path("evaluation/agreement"), help="folder of the rows")
    parser.add_argument("--scenes", type=int, default=20, help="held-out scenes of the main set")
    parser.add_argument("--moving", type=int, default=0, help="held-out scenes over which the camera moves")
    parser.add_argument("--seed", type=int, default=0, help="of training and noise")
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.output.mkdir(parents=True, exist_ok=True)
    for _ in measure_scenes(given):
        pass
    lines = (given.output / "rows.jsonl").read_text("utf-8").splitlines()
    print(table(pd.DataFrame(json.loads(line) for line in lines)))


if __name__ == "__main__":
    main()
