"""Measure what a shared start needs and saves: `python -m demo.shared_start --studies main late --workers 8`.

It runs on a GPU in minutes where the workflow, which makes one video at a time, would take a CPU days. Masks come from
the truth, and clips do not pass through H.264; all else is what the workflow calls. Run again, it goes on.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import torch

from demo.shared_start.arms import STUDIES
from demo.shared_start.work import Worker, all_scenes
from lib.core.project import ROOT
from lib.models.load import load_model


def main() -> int:
    """Start the workers, or be one."""
    parser = argparse.ArgumentParser(prog="python -m demo.shared_start", description="Measure the shared start.")
    parser.add_argument(
        "--output", type=Path, default=Path("evaluation/shared-start"), help="folder of all that is made"
    )
    parser.add_argument("--studies", nargs="+", default=["main"], choices=list(STUDIES), help="what to compare")
    parser.add_argument("--seeds", type=int, default=3, help="of shared LoRAs, training and noise")
    parser.add_argument("--scenes", type=int, default=20, help="held-out scenes of the main set")
    parser.add_argument("--moving", type=int, default=0, help="held-out scenes over which the camera moves")
    parser.add_argument("--late", type=int, default=20, help="held-out scenes whose edit changes late")
    parser.add_argument("--workers", type=int, default=1, help="processes, spread over the GPUs")
    parser.add_argument("--part", type=int, help="be this one of the workers")
    given = parser.parse_args()
    if given.part is None:
        shutil.rmtree(given.output / "claims", ignore_errors=True)  # of processes that were killed
        for name in ("claims", "shared", "samples"):
            (given.output / name).mkdir(parents=True, exist_ok=True)
        commands = [
            [sys.executable, "-m", "demo.shared_start", *sys.argv[1:], "--part", str(part)]
            for part in range(given.workers)
        ]
        workers = [subprocess.Popen(command, cwd=ROOT) for command in commands]
        return max(abs(worker.wait()) for worker in workers)
    torch.set_num_threads(1)
    cuda = torch.cuda.is_available()
    device = torch.device(f"cuda:{given.part % torch.cuda.device_count()}" if cuda else "cpu")
    model = load_model(
        str(ROOT / "demo/models/wan2.1-i2v-tiny"),
        {"vae", "encoders", "transformer"},
        family="wan",
        device=device,
        dtype=torch.float32,
    )
    arms = [(seed, arm) for study in given.studies for seed in range(given.seeds) for arm in STUDIES[study](seed)]
    needed = list({arm.start.name: arm.start for _, arm in arms if arm.start}.values())
    scenes = all_scenes(given.scenes, given.late, given.moving)
    worker = Worker(model, given.output, given.part, given.workers)
    worker.say(f"{len(arms)} arms, {len(needed)} shared LoRAs, {len(scenes)} scenes on {device}")
    worker.encode_clips(needed, scenes)
    worker.train_shared(needed)
    worker.measure(arms, scenes)
    worker.say("finished")
    return 0


if __name__ == "__main__":
    sys.exit(main())
