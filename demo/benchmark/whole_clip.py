"""One clip through encoding, training and generation of the real architecture: `python -m demo.benchmark.whole_clip`.

Each stage is a process of its own that calls what the workflow's scripts call, so that starting Python, loading the
checkpoint and compiling count. The checkpoint holds random weights in the published folder's layout; it is written
once, 46 GB for the 14B model. The table has each part's seconds and share.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from demo.benchmark.architectures import CHECKPOINT, DEMO_MODEL, WAN_14B
from lib.config.families import family_of
from lib.config.sections import ModelSection
from lib.core.project import ROOT
from lib.core.units import GIB
from lib.diffusion.encoding import encode_edit, encode_source, largest_latents, load_encoded, load_samples, save_encoded
from lib.diffusion.generation import EditedClip, Sampling, generate_video
from lib.stages.job import Job
from lib.stages.model import load_encoders, load_transformer
from lib.training.fine_tuning import Adapter, train_lora
from lib.training.loop import Objective, Optimizer
from lib.training.lora import load_for_generation

STAGES = ("encode", "train", "generate")


def run_stage(stage: str, given: argparse.Namespace, started: float) -> dict[str, float]:
    """Run one stage on a drawn clip; return the seconds of its parts, from the start of its process."""
    marks: dict[str, float] = {"starting Python": time.time() - started}
    times = [time.time()]

    def mark(part: str) -> None:
        marks[part] = time.time() - times[-1]
        times.append(time.time())

    width, height = (int(side) for side in given.size.split("x"))
    clip = draw_clip(given.frames, height, width)
    folder, section = given.work, _model_section(given)
    job = Job(folder / f"{stage}.log", torch.get_num_threads())
    if stage == "encode":
        model, _ = load_encoders(section, job)
        mark("loading the VAE and the encoders")
        source = encode_source(model, clip.source_video, clip.edit_mask, "a square", "edit")
        save_encoded(source, folder / "source.safetensors")
        edit = encode_edit(model, clip.source_video, clip.first_frame, {}, clip.edit_mask, "a disc", "", "edit")
        save_encoded(edit, folder / "edit.safetensors")
        mark("encoding")
    elif stage == "train":
        size = largest_latents(folder / "source.safetensors")
        model, device = load_transformer(section, job, latents_shape=size, training=True)
        mark("loading the transformer for training")
        samples = load_samples(folder / "source.safetensors", None, device).source
        optimizer = Optimizer(1e-4, 0.0, 0.9, 0.99, 0.01, 1.0)
        adapter = Adapter(16, 16.0, ("self_attention", "cross_attention", "feed_forward"))
        train_lora(
            model,
            samples,
            [(0,)] * given.steps,
            adapter,
            optimizer,
            Objective(1.0, 1.0),
            seed=0,
            start_from=None,
            lora_path=folder / "lora.safetensors",
            curve_path=folder / "curve.jsonl",
            training="benchmark",
        )
        mark("training, first step and compiling in it")
        seconds = [json.loads(line)["seconds"] for line in (folder / "curve.jsonl").read_text("utf-8").splitlines()]
        marks[f"training, {len(seconds) - 1} steps after the first"] = sum(seconds[1:])
        marks["training, first step and compiling in it"] -= sum(seconds[1:])
    else:
        size = family_of(section.family).latents_shape(given.frames, height, width)
        model, device = load_transformer(section, job, latents_shape=size, training=False)
        load_for_generation(model, folder / "lora.safetensors", 1.0)
        mark("loading the transformer and the VAE")
        sampling = Sampling(given.denoising_steps, given.guidance, 5.0, 0, False, False, 4.0, given.cache_threshold)
        encoded = load_encoded(folder / "edit.safetensors", device)
        model.decode_latents = _timed(model.decode_latents, device, marks)  # type: ignore[method-assign,assignment]
        video = generate_video(model, encoded, clip, [(0, given.frames)], sampling)
        assert video.shape == clip.source_video.shape
        mark("denoising")
        marks["denoising"] -= marks["decoding"]
    if torch.cuda.is_available():
        marks["peak GiB"] = torch.cuda.max_memory_allocated() / GIB
    return marks


def draw_clip(frames: int, height: int, width: int) -> EditedClip:
    """Draw a square that moves over noise, its mask, and a first frame in which it has another colour."""
    rng = np.random.default_rng(0)
    video = np.repeat(rng.integers(0, 255, (1, height, width, 3), dtype=np.uint8), frames, axis=0)
    mask = np.zeros(video.shape[:3], bool)
    for index in range(frames):
        left = index * (width // 2) // frames
        mask[index, height // 4 : height // 2, left : left + width // 4] = True
    video[mask] = (200, 40, 40)
    first = video[0].copy()
    first[mask[0]] = (40, 40, 200)
    return EditedClip(video, first, mask, "edit")


def _timed(
    decode: Callable[[torch.Tensor], torch.Tensor], device: torch.device, marks: dict[str, float]
) -> Callable[[torch.Tensor], torch.Tensor]:
    def run(latents: torch.Tensor) -> torch.Tensor:
        if device.type == "cuda":
            torch.cuda.synchronize()  # what was asked of the GPU before belongs to the denoising
        begun = time.time()
        video = decode(latents).cpu()
        marks["decoding"] = time.time() - begun
        return video

    return run


def _model_section(given: argparse.Namespace) -> ModelSection:
    return ModelSection(name=str(given.model), memory=given.memory, weights=given.weights)


def show(parts: Sequence[tuple[str, str, float]]) -> str:
    """Write a Markdown table of (stage, part, seconds), with shares of the whole."""
    whole = sum(seconds for _, _, seconds in parts)
    lines = ["| stage | part | seconds | share |", "|---|---|---|---|"]
    lines += [f"| {stage} | {part} | {seconds:.1f} | {seconds / whole:.0%} |" for stage, part, seconds in parts]
    return "\n".join([*lines, f"| all | | {whole:.1f} | |"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the stages, each in a process of its own, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m demo.benchmark.whole_clip", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--work", type=Path, required=True, help="folder for the checkpoint and what is made")
    parser.add_argument("--tiny", action="store_true", help="the demo's model and a small clip, for a CPU")
    parser.add_argument("--blocks", type=int, default=WAN_14B["num_layers"], help="fewer, for a shorter look")
    parser.add_argument("--frames", type=int, default=49)
    parser.add_argument("--size", default="832x480", help="width x height, pixels")
    parser.add_argument("--steps", type=int, default=100, help="of training")
    parser.add_argument("--denoising-steps", type=int, default=30)
    parser.add_argument("--guidance", type=float, default=5.0)
    parser.add_argument("--cache-threshold", type=float, default=0.0)
    parser.add_argument("--memory", default="auto", choices=["auto", "fast", "balanced", "low"])
    parser.add_argument("--weights", default="native", choices=["native", "fp8", "fp8_products"])
    parser.add_argument("--memory-limit", type=float, help="GiB of the GPU that each stage may use")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)  # of a process of its own
    parser.add_argument("--started", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    given.model = DEMO_MODEL if given.tiny else given.work / "model"
    if given.tiny:
        given.frames, given.size = 9, "96x64"
    if given.stage:
        if given.memory_limit and torch.cuda.is_available():
            total = torch.cuda.get_device_properties(0).total_memory
            torch.cuda.set_per_process_memory_fraction(min(1.0, given.memory_limit * GIB / total))
        marks = run_stage(given.stage, given, given.started)
        (given.work / f"{given.stage}.json").write_text(json.dumps(marks), encoding="utf-8")
        return
    given.work.mkdir(parents=True, exist_ok=True)
    if not given.tiny:
        # Here, since a stage's process, which takes its time from the start, has no need of these modules.
        from demo.benchmark.checkpoint import write_checkpoint

        transformer = {**WAN_14B, "num_layers": given.blocks}
        write_checkpoint(given.model, {**CHECKPOINT, "transformer": transformer})
    parts: list[tuple[str, str, float]] = []
    for stage in given.stages:
        words = list(sys.argv[1:] if arguments is None else arguments)
        command = [sys.executable, "-m", "demo.benchmark.whole_clip", *words]
        subprocess.run([*command, "--stage", stage, "--started", str(time.time())], check=True, cwd=ROOT)
        marks = json.loads((given.work / f"{stage}.json").read_text(encoding="utf-8"))
        if "peak GiB" in marks:
            print(f"{stage}: at most {marks.pop('peak GiB'):.1f} GiB of the GPU", flush=True)
        parts += [(stage, part, seconds) for part, seconds in marks.items()]
    print(f"\n{show(parts)}", flush=True)


if __name__ == "__main__":
    main()
