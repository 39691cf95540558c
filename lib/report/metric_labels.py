"""How each metric is called and shown to people."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from lib.report.results import EditedVideo


@dataclass(frozen=True)
class Metric:
    """How a metric is shown; `is_key`: in the batch table too, not only with its edit."""

    name: str
    label: str
    unit: str
    digits: int
    higher_is_better: bool | None
    is_key: bool
    meaning: str


KNOWN_METRICS = (
    Metric("clip_score", "CLIP score", "", 3, True, True, "how much the frames resemble the edited first frame"),
    Metric("input_similarity", "Input similarity", "", 3, True, True, "how much the frames resemble the source's"),
    Metric("temporal_consistency", "Temporal consistency", "", 4, True, False, "likeness of neighbouring frames"),
    Metric("background_psnr", "Background PSNR", "dB", 2, True, True, "outside the mask; 100: not a pixel changed"),
    Metric("background_ssim", "Background SSIM", "", 3, True, False, "structure outside the mask; 1: unchanged"),
    Metric("background_jump", "Background jump", "levels", 2, False, False, "flicker that the source has not"),
    Metric("seam", "Seam", "levels", 2, False, True, "step along the mask's edge that the source does not have"),
    Metric("warp_error", "Warp error", "", 4, False, True, "flicker: change along the source's motion"),
    Metric("source_warp_error", "Source warp error", "", 4, None, False, "the source's own, to compare with"),
    Metric("motion_error", "Motion error", "", 3, False, True, "share of the source's motion that is missed"),
    Metric("motion_cosine", "Motion cosine", "", 3, True, False, "1: the edit moves in the source's directions"),
    Metric("deqa", "DeQA-Score", "", 3, True, True, "how good the frames look, 1 to 5"),
    Metric("lpips", "Background LPIPS", "", 4, False, True, "how different it looks outside the mask; 0: unchanged"),
    Metric("dists", "Background DISTS", "", 4, False, False, "the same by another network"),
    Metric("text_alignment", "Text alignment", "", 3, True, True, "likeness of the frames and the prompt, by CLIP"),
    Metric("pick_score", "PickScore", "", 2, True, False, "how well people would like the frames for the prompt"),
    Metric("clip_iqa", "CLIP-IQA", "", 3, True, False, "how much more a good photo than a bad one, 0 to 1"),
    Metric("judge_motion", "Judge: motion", "", 2, True, False, "a vision-language model's rating, 1 to 5"),
    Metric("judge_background", "Judge: background", "", 2, True, False, "the same of what was to be kept"),
    Metric("judge_edit", "Judge: edit", "", 2, True, False, "the same of the edited part's look"),
    Metric("dino", "DINO consistency", "", 4, True, False, "likeness of neighbouring frames, by DINOv2"),
)


def list_metrics(videos: Iterable[EditedVideo]) -> list[Metric]:
    """Return the metrics that occur in the results, known ones first; unknown ones are shown as they are."""
    rows = [row for video in videos for row in video.rows.values()]
    names = dict.fromkeys(name for row in rows for name in (*row.get("mean", {}), *row.get("per_frame", {})))
    known = [metric for metric in KNOWN_METRICS if metric.name in names]
    unknown = [name for name in names if name not in {metric.name for metric in known}]
    return known + [Metric(name, name.replace("_", " ").capitalize(), "", 3, None, False, "") for name in unknown]


def format_metric(value: float | None, metric: Metric) -> str:
    """Write a metric with its digits, without its unit; a dash where it could not be measured."""
    if value is None:
        return "–"
    return f"{value:.{metric.digits}f}" if math.isfinite(value) else "∞"
