"""A small finished, half-finished and failed batch as a run leaves it behind, for the report's tests."""

import json
from pathlib import Path

import cv2
import numpy as np

from lib.core.files import write_json
from lib.video.sound import Sound
from lib.video.writing import write_lossless, write_viewable

CAR, ROAD, DOG, LATER = "car turn #1", "машина 100%", 'it\'s a <b>"dog"', "später"
EXPECTED = [
    (CAR, "red car", "mask_lora"),
    (CAR, "red car", "base"),
    (ROAD, "мокрая дорога", "mask_lora"),
    (DOG, "hat & scarf?", "mask_lora"),
    (CAR, "blue car; 50%", "mask_lora"),
    (LATER, "not yet", "mask_lora"),
]
PROBLEMS = [
    {
        "place": "clips/empty/source.mp4",
        "found": "a video of zero frames",
        "expected": "at least 16 frames <16>",
        "clip": "empty & sad",
        "edit": None,
    }
]
VERSIONS = {"first-frame-video-editing": "0.1.0", "torch": "2.9.0"}
METRICS = {
    "clip_score": (0.291, 0.018),
    "input_similarity": (0.874, 0.03),
    "temporal_consistency": (0.985, 0.004),
    "background_psnr": (31.4, 1.6),
    "background_ssim": (0.932, 0.02),
    "warp_error": (0.0124, 0.002),
    "source_warp_error": (0.0102, 0.002),
    "motion_error": (0.82, 0.2),
    "motion_cosine": (0.91, 0.03),
}
FPS = 16
NUM_FRAMES = 16


def write_example_batch(results: Path, num_frames: int = NUM_FRAMES, size: tuple[int, int] = (96, 160)) -> None:
    """Write results of EXPECTED: two methods done, one edit with references, one failed, one killed, one not run."""
    write_clip(results, CAR, num_frames, size)
    write_clip(results, ROAD, num_frames, size, has_audio=True)
    write_clip(results, DOG, num_frames, size)
    write_edit(results, CAR, "red car", num_frames, size)
    write_edit(results, ROAD, "мокрая дорога", num_frames, size, references=(1, num_frames - 2))
    write_edit(results, DOG, "hat & scarf?", num_frames, size)
    write_method(results, CAR, "red car", "mask_lora", num_frames, size, seed=1)
    write_method(results, CAR, "red car", "base", num_frames, size, seed=2)
    write_method(results, ROAD, "мокрая дорога", "mask_lora", num_frames, size, seed=3, has_audio=True)
    write_log(results, f"{DOG}/hat & scarf?/mask_lora/generate", "sampling\nfailed: CUDA out of memory <GPU 0>")
    write_log(results, f"{CAR}/blue car; 50%/segment_masks", "tracking\rtracking 10%\rtracking 40%")


def draw_video(num_frames: int, size: tuple[int, int], colour: tuple[int, int, int]) -> np.ndarray:
    """Draw a disc that crosses a landscape: (frames, height, width, 3) uint8 RGB."""
    height, width = size
    sky = np.linspace((120, 165, 205), (225, 215, 190), height).astype(np.uint8)
    video = np.repeat(np.repeat(sky[:, None], width, axis=1)[None], num_frames, axis=0)
    for index, picture in enumerate(video):
        cv2.rectangle(picture, (0, height * 3 // 4), (width, height), (96, 112, 84), -1)
        cv2.rectangle(picture, (width // 8, height // 2), (width // 3, height * 3 // 4), (150, 140, 132), -1)
        centre = (width // 6 + index * width * 2 // 3 // num_frames, height * 2 // 3)
        cv2.circle(picture, centre, height // 6, colour, -1, cv2.LINE_AA)
    return video


def write_clip(results: Path, clip: str, num_frames: int, size: tuple[int, int], has_audio: bool = False) -> None:
    """Write what the edits of a clip share."""
    folder = results / clip
    folder.mkdir(parents=True)
    height, width = size
    source = {
        "width": 1920,
        "height": 1080,
        "num_frames": 120,
        "fps": FPS,
        "codec": "h264",
        "has_audio": has_audio,
    }
    content = {
        "fps": FPS,
        "indices": list(range(num_frames)),
        "times": times(num_frames),
        "width": width,
        "height": height,
        "source": source,
        "crop": {"left": 0, "top": 12},
        "provenance": {"versions": VERSIONS},
    }
    write_json(folder / "source_video.json", content)
    write_viewable(
        folder / "source_preview.mp4", draw_video(num_frames, size, (70, 90, 120)), times(num_frames), crf=18
    )
    write_losses(folder / "lora" / "edit" / "decouple.jsonl", 100)
    for stage, seconds in (("extract_frames", 1.4), ("train_lora_decouple.edit", 812.6)):
        write_log(results, f"{clip}/{stage}", f"finished in {seconds} s")


def write_edit(
    results: Path,
    clip: str,
    edit: str,
    num_frames: int,
    size: tuple[int, int],
    references: tuple[int, ...] = (),
) -> None:
    """Write what the methods of an edit share."""
    folder = results / clip / edit
    edited = draw_video(num_frames, size, (200, 40, 40))
    for index in references:
        write_picture(folder / "references" / f"{index:05d}.png", edited[index])
    write_picture(folder / "first_frame.png", edited[0])
    if references:
        write_losses(folder / "lora" / "edit" / "appearance.jsonl", 60)
    area = [0.2 + 0.002 * index for index in range(num_frames)]
    warnings = ["the track was lost in 3 of 16 frames; its last box was kept"] if references else []
    mask = {
        "method": "yolo",
        "confidence": 0.43 if references else 0.83,
        "needs_a_look": bool(references),
        "coverage": 0.97,
        "area_share": area,
        "regions": [{"frame": 0}],
        "warnings": warnings,
    }
    write_json(folder / "edit_mask.json", mask)
    write_picture(folder / "edit_mask.png", edited[0])
    overlay = draw_video(num_frames, size, (200, 140, 40)) // 2 + 60
    write_viewable(folder / "edit_mask_overlay.mp4", overlay, times(num_frames), crf=18)
    source_prompt = f"p3rs0n, A grey disc moves through {clip}."
    write_json(folder.parent / "caption.json", {"prompt": source_prompt})
    write_json(folder / "caption.json", {"prompt": f"p3rs0n, A red disc, {edit}."})
    write_log(results, f"{clip}/{edit}/segment_masks", "finished in 4.2 s")


def write_method(
    results: Path,
    clip: str,
    edit: str,
    method: str,
    num_frames: int,
    size: tuple[int, int],
    seed: int,
    has_audio: bool = False,
) -> None:
    """Write a finished edited video with its metrics and provenance."""
    folder = results / clip / edit / method
    folder.mkdir(parents=True)
    edited, when = draw_video(num_frames, size, (200, 40 + 20 * seed, 40)), times(num_frames)
    tone = 0.1 * np.sin(np.arange(num_frames * 16_000 // FPS) * 440 * 2 * np.pi / 16_000)
    sound = Sound(tone[None].astype(np.float32), 16_000) if has_audio else None
    write_viewable(folder / "edited.mp4", edited, when, crf=18, sound=sound)
    write_lossless(folder / "edited.mkv", edited, when)
    write_viewable(folder / "difference.mp4", edited // 3, when, crf=18)
    write_json(folder / "metrics.json", make_metrics(seed, num_frames))
    provenance = {
        "settings": {"sampling.num_steps": 30, "sampling.guidance": 5.0, "seed": seed},
        "versions": VERSIONS,
        "inputs": {"lora/edit/decouple.safetensors": f"{seed:064x}", "edit_mask.mkv": "ab" * 32},
        "outputs": {"edited.mp4": "cd" * 32},
        "device": "NVIDIA H100",
    }
    write_json(folder / "edited.json", provenance)
    name = f"{clip}/{edit}/{method}/generate"
    write_log(results, name, f"finished in {100 + seed} s")
    benchmark = results / "benchmarks" / f"{name}.tsv"
    benchmark.parent.mkdir(parents=True, exist_ok=True)
    benchmark.write_text("s\th:m:s\tmax_rss\n100.1\t0:01:40\t2048.00\n", encoding="utf-8")


def make_metrics(seed: int, num_frames: int) -> dict:
    """Make metrics that a run could have: the copy perfect in background and similarity, the round trip near it."""
    random = np.random.default_rng(seed)
    rows = {}
    for row, better in (("edited", 0.0), ("vae_round_trip", 1.5), ("source_copy", 2.0)):
        per_frame = {}
        for name, (centre, spread) in METRICS.items():
            sign = -1 if name.endswith("error") else 1
            walk = np.cumsum(random.normal(0, 0.2, num_frames))
            per_frame[name] = [float(value) for value in centre + spread * (sign * better + walk)]
        per_frame["source_warp_error"] = [0.0102] * num_frames
        if row == "source_copy":
            perfect = {"input_similarity": 1.0, "background_psnr": 100.0, "background_ssim": 1.0}
            per_frame |= {name: [value] * num_frames for name, value in perfect.items()}
            per_frame["motion_cosine"] = [None] * num_frames  # as where nothing could be measured
        mean = {name: None if None in values else float(np.mean(values)) for name, values in per_frame.items()}
        rows[row] = {"mean": mean, "per_frame": per_frame}
    return {"rows": rows, "provenance": {"versions": VERSIONS}}


def write_losses(path: Path, num_steps: int) -> None:
    """Write a loss curve that falls, with noise."""
    random = np.random.default_rng(num_steps)
    losses = 0.15 + 0.5 * np.exp(-np.arange(num_steps) / 25) + np.abs(random.normal(0, 0.08, num_steps))
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"step": n + 1, "loss": float(loss), "seconds": 0.06}) for n, loss in enumerate(losses)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_log(results: Path, name: str, text: str) -> None:
    """Write the log of a stage."""
    log = results / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(f"started\n{text}\n", encoding="utf-8")


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write an RGB picture as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())


def times(num_frames: int) -> list[float]:
    """Return frame times in seconds."""
    return [index / FPS for index in range(num_frames)]
