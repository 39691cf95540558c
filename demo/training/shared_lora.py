"""Train the LoRA that the demo's clips start from, on 200 other clips of its world, their masks but never their edits.

`python -m demo.training.shared_lora --output demo/models/shared/edit.safetensors`, for all methods that train with the
edit's mask, and with `--mask first_frame` naive_lora's. Clips are shown at half their size, which serves as well
(docs/shared-start.md) and takes a CPU core an hour.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from demo.shared_start.arms import Shared
from demo.shared_start.cases import training_edit, training_sample
from demo.shared_start.work import LAYERS, OBJECTIVE
from demo.training.steps import prepare_gpu
from lib.core.files import whole_file
from lib.core.project import ROOT
from lib.inputs.model_files import identify_models
from lib.inputs.shared_lora import MASK, MODEL, model_print
from lib.models.load import load_model
from lib.training.fine_tuning import Adapter, train_lora
from lib.training.loop import Optimizer
from lib.training.schedule import shuffled_schedule

MODEL_FOLDER = "demo/models/wan2.1-i2v-tiny"
RATE = 2e-3
SAMPLES = {("edit", "half"): "small", ("edit", "full"): "own", ("first_frame", "full"): "naive"}
SAMPLES |= {("first_frame", "half"): "naive_small"}  # kinds of `training_sample`


def facts(mask: str) -> dict[str, str]:
    """Return what the file says of its training."""
    with TemporaryDirectory() as folder:
        files = identify_models({"model.name": str(ROOT / MODEL_FOLDER)}, Path(folder, "models.json"), download=False)
    return {MODEL: model_print(files.of("model.name", only=["transformer"])), MASK: mask}


def halve(path: Path) -> None:
    """Store a LoRA's weights in half precision, as the demo's models are."""
    with safe_open(path, framework="pt") as opened:
        tensors, metadata = {name: opened.get_tensor(name).half() for name in opened.keys()}, opened.metadata()  # noqa: SIM118, not a mapping
    with whole_file(path) as made:
        save_file(tensors, made, metadata)


def main() -> None:
    """Encode the clips, train, and write the LoRA with its loss curve beside it."""
    parser = argparse.ArgumentParser(description="Train the LoRA that the demo's clips start from.")
    parser.add_argument("--output", type=Path, required=True, help="the .safetensors file to write")
    parser.add_argument("--clips", type=int, default=Shared.clips, help="of the train split")
    parser.add_argument("--samples", type=int, default=Shared.samples, help="seen in all")
    parser.add_argument("--mask", default="edit", choices=["edit", "first_frame"], help="kind of mask that it is for")
    parser.add_argument(
        "--size", default="half", choices=["half", "full"], help="of the clips, as a share of the demo's"
    )
    given = parser.parse_args()
    device = torch.device(prepare_gpu())
    parts = {"vae", "encoders", "transformer"}
    model = load_model(ROOT / MODEL_FOLDER, parts, family="wan", device=device, dtype=torch.float32)
    samples = [
        training_sample(model, training_edit(number), SAMPLES[given.mask, given.size]) for number in range(given.clips)
    ]
    print(f"{len(samples)} clips encoded", flush=True)
    train_lora(
        model,
        samples,
        shuffled_schedule(given.samples // Shared.batch, len(samples), Shared.batch, seed=0),
        Adapter(rank=Shared.rank, alpha=float(Shared.rank), layers=LAYERS),
        Optimizer(RATE, 0.5, 0.9, 0.99, 0.01, 1.0),
        OBJECTIVE,
        seed=0,
        start_from=None,
        lora_path=given.output,
        curve_path=given.output.with_suffix(".jsonl"),
        training="the demo's shared LoRA",
        facts=facts(given.mask),
    )
    halve(given.output)


if __name__ == "__main__":
    main()
