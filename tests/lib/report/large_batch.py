"""The results of a batch of thousands of edits, for the report's benchmark: real files, most of them hard links."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from lib.core.failures import write_failure
from tests.lib.report.example_batch import make_metrics, write_clip, write_edit, write_log, write_method

EDITS_PER_CLIP = 5
NUM_FRAMES, SIZE = 49, (480, 832)  # height and width in pixels
METHOD = "mask_lora"
JOBS_OF_CLIP = ("caption_source", "detect_objects", "encode_source.edit", "measure_source")
JOBS_OF_EDIT = ("align_edit", "caption_edit", "encode_edit.edit", "train_lora_appearance.edit", f"{METHOD}/evaluate")


def write_large_batch(results: Path, num_edits: int) -> None:
    """Write results of list_expected: of each 20 edits one failed, one was not run, and two masks are doubtful."""
    pattern = results.with_name("pattern")
    write_clip(pattern, "clip", NUM_FRAMES, SIZE, has_audio=True)
    write_edit(pattern, "clip", "one", NUM_FRAMES, SIZE, references=(24,))
    write_method(pattern, "clip", "one", METHOD, NUM_FRAMES, SIZE, seed=0, has_audio=True)
    progress = "\n".join(f"step {step} of 100, loss 0.123, 2 min left" for step in range(0, 100, 4))
    for job in (*JOBS_OF_CLIP, *(f"one/{job}" for job in JOBS_OF_EDIT)):
        write_log(pattern, f"clip/{job}", f"{progress}\nfinished in 12.3 s")
    for number, (clip, edit, _) in enumerate(list_expected(num_edits)):
        if number % EDITS_PER_CLIP == 0:
            _link(pattern, results, "clip", clip)
        if number % 20 != 13:
            _link(pattern, results, "clip/one", f"{clip}/{edit}")
            _make_own(results, clip, edit, number)
    shutil.rmtree(pattern)


def list_expected(num_edits: int) -> list[tuple[str, str, str]]:
    """Return clip, edit and method of each edited video."""
    return [
        (f"clip-{number // EDITS_PER_CLIP:05d}", f"edit-{number % EDITS_PER_CLIP}", METHOD)
        for number in range(num_edits)
    ]


def list_problems(num_edits: int) -> list[dict[str, Any]]:
    """Return problems with the inputs, one for each 50 edits."""
    return [
        {
            "place": f"clips/bad-{number:05d}/source.mp4",
            "found": "a video of zero frames",
            "expected": "at least 49 frames",
            "clip": f"bad-{number:05d}",
            "edit": None,
        }
        for number in range(num_edits // 50)
    ]


def _link(pattern: Path, results: Path, source: str, target: str) -> None:
    """Link the files of a clip, or of an edit, with logs and times, under another name."""
    leave_out = shutil.ignore_patterns("one") if source == "clip" else None
    for folder in (".", "logs", "benchmarks"):
        if (pattern / folder / source).is_dir():
            shutil.copytree(pattern / folder / source, results / folder / target, leave_out, copy_function=os.link)


def _make_own(results: Path, clip: str, edit: str, number: int) -> None:
    """Give an edit its own metrics, prompt and mask, or let it fail."""
    folder, log = results / clip / edit, results / "logs" / clip / edit / METHOD / "generate.log"
    _write_anew(folder / METHOD / "metrics.json", make_metrics(number, NUM_FRAMES))
    _write_anew(folder / "caption.json", {"prompt": f"p3rs0n, A red disc, the {number}th of its kind."})
    mask = json.loads((folder / "edit_mask.json").read_text(encoding="utf-8"))
    if number % 10 != 3:
        mask |= {"confidence": 0.5 + number % 50 / 100, "needs_a_look": False, "warnings": []}
    _write_anew(folder / "edit_mask.json", mask)
    if number % 20 == 7:
        shutil.rmtree(folder / METHOD)
        log.unlink()
        write_log(results, log.relative_to(results / "logs").with_suffix("").as_posix(), "sampling\nfailed: no memory")
        tail = [f"sampling, step {step} of 30" for step in range(14)] + ["failed: no memory"]
        write_failure(log, "out_of_memory", "CUDA out of memory. Tried to allocate 2 GiB.", 2, tail)


def _write_anew(path: Path, content: dict[str, Any]) -> None:
    path.unlink()  # a link: the file under it is others' too
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")
