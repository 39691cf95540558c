"""A small batch of several methods, a study of it, and raters whose preferences are known."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lib.core.files import write_json
from lib.report.table import write_metrics_table
from lib.study.plan import Item, Mode, Study
from lib.study.questions import PAPER, Question
from lib.video.sound import Sound
from lib.video.writing import write_viewable
from tests.lib.report.example_batch import draw_video, times, write_picture

OURS, BASE, TOOL, HOSTILE = "mask_lora", "base", "outside_AnyV2V", "outside_a-tool-00000000"
HOSTILE_NAME = '</script><b>"A tool" | 100%_&'
NAMES = {OURS: "mask_lora", BASE: "base", TOOL: "AnyV2V", HOSTILE: HOSTILE_NAME}
COLOURS = {OURS: (200, 40, 40), BASE: (40, 160, 60), TOOL: (60, 70, 200), HOSTILE: (190, 150, 40)}
FINISHED = "2026-11-28T10:00:00Z"


def write_batch(
    results: Path,
    edits: Sequence[tuple[str, str]],
    methods: Sequence[str] = tuple(NAMES),
    num_frames: int = 8,
    size: tuple[int, int] = (48, 64),
) -> None:
    """Write the videos that a study shows; each method's disc has its own colour, another size, one has sound."""
    for clip in dict.fromkeys(clip for clip, _ in edits):
        source = {"width": size[1], "height": size[0], "times": times(num_frames), "source": {"pixel_aspect": 1}}
        write_json(results / clip / "source_video.json", source)
        drawn = draw_video(num_frames, size, (70, 90, 120))
        write_viewable(results / clip / "source_preview.mp4", drawn, times(num_frames), crf=18)
    rows = {"edited": {"mean": {"clip_score": 0.3}, "per_frame": {"clip_score": [0.3] * num_frames}}}
    for clip, edit in edits:
        write_picture(results / clip / edit / "first_frame.png", draw_video(1, size, (200, 40, 40))[0])
        for number, method in enumerate(methods):
            folder = results / clip / edit / method
            write_json(folder / "metrics.json", {"rows": rows})
            drawn = draw_video(num_frames, size, COLOURS[method])
            sound = Sound(np.zeros((1, 16_000), np.float32), 16_000) if method == TOOL else None
            write_viewable(folder / "edited.mp4", drawn, times(num_frames), crf=18 + 6 * number, sound=sound)
    videos = [(clip, edit, method) for clip, edit in edits for method in methods]
    names = {f"{clip}/{edit}/{HOSTILE}": HOSTILE_NAME for clip, edit in edits}
    write_metrics_table(results, videos, names, results / "metrics.csv")


def make_study(mode: Mode, num_methods: int, num_edits: int, questions: Sequence[Question] = PAPER) -> Study:
    """Make a study's key without any videos: methods m0, m1, ..., in sets, or in all pairs of each edit."""
    methods = [f"m{number}" for number in range(num_methods)]
    groups = [methods]
    if mode == "pairs":
        groups = [[one, other] for index, one in enumerate(methods) for other in methods[index + 1 :]]
    items = [
        Item(f"i{edit}-{number}", f"clip{edit}", "e", {f"v{edit}-{number}-{method}": method for method in group})
        for edit in range(num_edits)
        for number, group in enumerate(groups)
    ]
    return Study(1, "0123456789ab", "rivals", 0, mode, questions, {each: each.upper() for each in methods}, items)


def judge(study: Study, merits: Sequence[float], chance: np.random.Generator, doubt: float = 0.0) -> list[dict]:
    """Answer a study as Thurstone's raters do: each video's merit, and noise of deviation 1, decide.

    Args:
        merits: of the study's methods, more is better.
        doubt: of a pair, the difference below which none is seen.
    """
    known = dict(zip(study.methods, merits, strict=True))
    answers = []
    for item in study.items:
        for question in range(len(study.questions)):
            felt = {token: known[method] + chance.normal() for token, method in item.videos.items()}
            order = sorted(felt, key=lambda token: -felt[token])
            ranks = {token: float(rank) for rank, token in enumerate(order, start=1)}
            if study.mode == "pairs" and abs(felt[order[0]] - felt[order[1]]) < doubt:
                ranks = dict.fromkeys(order, 1.5)
            answers.append({"item": item.id, "question": question, "ranks": ranks, "seconds": 4.0})
    return answers


def write_answers(folder: Path, asked: Study, code: str, given: Sequence[dict], **changes: object) -> Path:
    """Write a file as the page saves it."""
    content = {"study": asked.id, "person": code, "started": FINISHED, "finished": FINISHED, "answers": given}
    path = folder / f"answers-{code}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**content, **changes}), encoding="utf-8")
    return path
