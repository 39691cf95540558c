"""Train all of the demo's models anew: `python -m demo.training.everything --output MODELS`, on all GPUs of a host.

CLIP, captioner and detector train side by side on one GPU each, then the VAE on all of them (beside it the detector got
a fifth of its steps done); then the folders are completed, and the transformer trains on the VAE's latents. What is
finished is not made again, and a training that was stopped goes on when this is run again: many short runs add up.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from lib.core.project import ROOT

VAE_OPTIONS = ("--channels-last", "--rate", "2e-3", "--latent-noise", "0.3")


@dataclass(frozen=True)
class Training:
    """One of the trainings.

    Attributes:
        module: of demo.training. made: a file that is there when it is finished.
        arguments: of its command, beside --workers and --work.
        num_gpus: that share its steps; with one, it has `gpu`.
    """

    module: str
    made: Path
    arguments: tuple[str, ...]
    num_gpus: int = 1
    gpu: int = 0


def plan(models: Path, num_gpus: int, given: argparse.Namespace) -> list[list[Training]]:
    """List the trainings: those of a list run side by side, list after list.

    Args:
        models: folder to write, as demo/models.
        num_gpus: of the host; 0: there are none.
        given: vae_seconds, transformer_seconds, heads, layers and rate.
    """
    wan, gpus = models / "wan2.1-i2v-tiny", max(1, num_gpus)
    transformer = ("--wan", str(wan), "--output", str(wan), "--seconds", f"{given.transformer_seconds:g}")
    sizes = ("--heads", str(given.heads), "--layers", str(given.layers), "--rate", f"{given.rate:g}")
    folders = {
        "clip": models / "clip-tiny",
        "captioner": models / "florence-2-tiny",
        "detector": models / "yolo11-tiny",
    }
    small = [
        Training(module, folder / "model.safetensors", ("--output", str(folder)), gpu=number % gpus)
        for number, (module, folder) in enumerate(folders.items())
    ]
    vae = Training(
        "vae",
        wan / "vae" / "diffusion_pytorch_model.safetensors",
        ("--output", str(wan / "vae"), "--seconds", f"{given.vae_seconds:g}", *VAE_OPTIONS),
        gpus,
    )
    last = wan / "transformer" / "trained"
    return [small, [vae], [Training("transformer", last, (*transformer, *sizes), gpus)]]


def command_of(training: Training, work: Path, num_workers: int) -> list[str]:
    """Return the command of a training; `torchrun` starts a process for each of several GPUs."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={training.num_gpus}"]
    start = [sys.executable, *(launcher if training.num_gpus > 1 else []), "-m", f"demo.training.{training.module}"]
    share = max(1, num_workers // training.num_gpus)
    return [*start, *training.arguments, "--workers", str(share), "--work", str(work / training.module)]


def run_side_by_side(trainings: Sequence[Training], work: Path, num_workers: int) -> bool:
    """Run those that are not finished; each has a log of its own. Return whether all have succeeded."""
    running = []
    for training in trainings:
        if training.made.exists():
            print(f"{training.module}: finished before", flush=True)
            continue
        log = work / f"{training.module}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        environment = {**_environment(), **({} if training.num_gpus > 1 else _own_gpu(training.gpu))}
        with log.open("a", encoding="utf-8") as output:
            process = subprocess.Popen(
                command_of(training, work, num_workers), cwd=ROOT, env=environment, stdout=output, stderr=output
            )
        running.append((training, process, log))
        print(f"{training.module}: begun, {log}", flush=True)
    succeeded = True
    for training, process, log in running:
        code = process.wait()
        last = (log.read_text(encoding="utf-8").strip().splitlines() or [""])[-1]
        print(f"{training.module}: {'finished' if code == 0 else f'failed with {code}'}: {last}", flush=True)
        succeeded &= code == 0
    return succeeded


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


def _own_gpu(number: int) -> dict[str, str]:
    return {"CUDA_VISIBLE_DEVICES": str(number)} if torch.cuda.is_available() else {}


def main() -> int:
    """Run all trainings; 1 if one of them failed."""
    parser = argparse.ArgumentParser(description="Train all of the demo's models anew.")
    parser.add_argument("--output", type=Path, required=True, help="folder to write, as demo/models")
    parser.add_argument("--work", type=Path, default=Path(".cache/training"), help="folder of checkpoints and logs")
    parser.add_argument("--workers", type=int, default=8, help="processes that draw scenes")
    parser.add_argument("--vae-seconds", type=float, default=300, help="of the VAE's training")
    parser.add_argument("--transformer-seconds", type=float, default=900, help="of the transformer's training, in all")
    parser.add_argument("--heads", type=int, default=6, help="of the transformer")
    parser.add_argument("--layers", type=int, default=7, help="of the transformer")
    parser.add_argument("--rate", type=float, default=1.2e-3, help="highest learning rate of the transformer")
    given = parser.parse_args()
    small, vae, transformer = plan(given.output, torch.cuda.device_count(), given)
    for trainings in (small, vae):
        if not run_side_by_side(trainings, given.work, given.workers):
            return 1
    # Tokenizers, processors and configurations; trained weights stay.
    complete = [sys.executable, "-m", "demo.make_models", "--output", str(given.output)]
    if subprocess.run(complete, cwd=ROOT, env=_environment()).returncode:
        return 1
    if not run_side_by_side(transformer, given.work, given.workers):
        return 1
    transformer[0].made.touch()
    return 0


if __name__ == "__main__":
    sys.exit(main())
