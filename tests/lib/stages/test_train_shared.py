"""The shared LoRA's stage on two processes, as a job with two GPUs starts them; here on the CPU."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lib.core.errors import InputError
from lib.core.files import write_json
from lib.diffusion.encoding import save_encoded
from lib.diffusion.shared_samples import encode_window
from lib.inputs.shared_lora import model_print, read_facts
from lib.models.base import VideoModel
from lib.models.load import load_model
from lib.stages.job import call_stage, job_path
from lib.stages.train_lora import train_lora
from lib.stages.train_shared import train_shared
from lib.training.lora_formats import read_lora, write_lora
from tests.conftest import TINY_WAN
from tests.lib.models.wan.relatives import write_a14b

MODEL = {"name": str(TINY_WAN), "family": "wan", "dtype": "float32", "weights": "native", "device": "cpu"}
FILES = {"model.name/transformer": "0123"}
TRAINING = {
    "rank": 2,
    "alpha": 2.0,
    "layers": ["self_attention"],
    "beta1": 0.9,
    "beta2": 0.99,
    "weight_decay": 0.01,
    "gradient_clip": 1.0,
    "sigma_shift": 1.0,
    "region_weight": 1.0,
    "seed": 0,
}
SHARED = {"steps": 3, "samples_per_step": 3, "learning_rate": 1e-3, "decay_share": 0.5, "held_out_clips": 1}


@pytest.fixture
def samples(tiny_wan: VideoModel, tmp_path: Path) -> list[str]:
    """Samples of five clips."""
    return _encode(tiny_wan, tmp_path / "samples")


def _encode(model: VideoModel, folder: Path) -> list[str]:
    paths = []
    folder.mkdir()
    for number in range(5):
        video = np.random.default_rng(number).integers(0, 255, (5, 48, 64, 3), np.uint8)
        paths.append(folder / f"{number}.safetensors")
        save_encoded({"source_00": encode_window(model, video, None, number, "a ball", "edit")["source"]}, paths[-1])
    return [str(path) for path in paths]


def _job(
    folder: Path,
    samples: list[str],
    num_gpus: int,
    shared: dict[str, Any] = SHARED,
    model: dict[str, Any] = MODEL,
    models: dict[str, str] = FILES,
) -> dict[str, Any]:
    folder.mkdir()
    outputs = {"lora": "edit.safetensors", "curve": "edit.jsonl", "provenance": "edit.json"}
    description = {
        "stage": "lib.stages.train_shared:train_shared",
        "inputs": {"samples": samples},
        "outputs": {name: str(folder / path) for name, path in outputs.items()},
        "params": {
            "model": {**model, "download": False, "memory": "auto"},
            "models": models,
            "training": TRAINING,
            "shared": shared,
            "mask_kind": "edit",
        },
        "log": str(folder / "train_shared.log"),
        "num_threads": 1,
        "num_gpus": num_gpus,
    }
    write_json(job_path(description["log"]), description)
    return description


def _losses(folder: Path, key: str) -> list[float]:
    rows = [json.loads(line) for line in (folder / "edit.jsonl").read_text().splitlines()]
    return [row[key] for row in rows if key in row]


def test_a_job_of_two_gpus_trains_what_a_job_of_one_does(samples: list[str], tmp_path: Path) -> None:
    """The same losses, on held-out clips too; the record says how many processes there were."""
    for num_gpus in (1, 2):
        call_stage(train_shared, _job(tmp_path / str(num_gpus), samples, num_gpus))
        made = json.loads((tmp_path / str(num_gpus) / "edit.json").read_text())
        assert made["processes"] == num_gpus and len(made["inputs"]) == 5
    for key in ("loss", "held_out"):
        alone, together = _losses(tmp_path / "1", key), _losses(tmp_path / "2", key)
        assert len(alone) == 3 and np.allclose(alone, together, atol=1e-3), key


def test_both_experts_are_trained_by_all_processes(tmp_path: Path) -> None:
    """One after the other, each measured on the held-out clips; the file knows the weights of both."""
    folder = write_a14b(tmp_path / "model")
    use = {**MODEL, "name": str(folder), "family": "wan22"}
    given = {"family": "wan22", "device": torch.device("cpu"), "dtype": torch.float32}
    samples = _encode(load_model(folder, {"vae", "encoders"}, **given), tmp_path / "samples")
    files = {**FILES, "model.name/transformer_2": "4567", "model.name": "89ab"}
    for num_gpus in (1, 2):
        call_stage(train_shared, _job(tmp_path / str(num_gpus), samples, num_gpus, model=use, models=files))
        lora = tmp_path / str(num_gpus) / "edit.safetensors"
        assert {name.partition(".")[0] for name in load_file(lora)} == {"transformer", "transformer_2"}
        assert read_facts(lora) == {"model": model_print(files), "mask": "edit"}
    assert model_print(files) != model_print({**files, "model.name/transformer_2": "other"})
    for key in ("loss", "held_out"):
        alone, together = _losses(tmp_path / "1", key), _losses(tmp_path / "2", key)
        assert len(alone) == 2 * 3 and np.allclose(alone, together, atol=1e-3), key


def test_a_clip_starts_from_another_programs_lora_as_from_ours(samples: list[str], tmp_path: Path) -> None:
    """Stage 1, given the same shared LoRA under ComfyUI's names, writes the same bytes."""
    call_stage(train_shared, _job(tmp_path / "shared", samples, 1))
    ours, theirs, own = tmp_path / "shared" / "edit.safetensors", tmp_path / "theirs.safetensors", []
    write_lora(read_lora(ours, "wan"), theirs, "comfyui", "wan")
    for number, start in enumerate((ours, theirs)):
        folder = tmp_path / str(number)
        job = _job(folder, samples, 0)
        training = {**TRAINING, "learning_rate": 1e-3, "decay_share": 0.0, "recoloured_share": 0.0}
        steps = {"num_steps": 2, "references_share": 0.0, "reference_draws": 1}
        params = {"model": job["params"]["model"], "models": FILES, "training": training, **steps}
        inputs = {"source": samples[0], "edit": [], "lora": str(start)}
        call_stage(train_lora, {**job, "inputs": inputs, "params": params})
        own.append((folder / "edit.safetensors").read_bytes())
    assert own[0] == own[1] != ours.read_bytes()


def test_why_one_process_failed_is_why_the_job_did(samples: list[str], tmp_path: Path) -> None:
    """Fewer samples a step than GPUs: said in one line, as a mistake in the settings, and nothing is written."""
    job = _job(tmp_path / "job", samples, 2, {**SHARED, "samples_per_step": 1})
    with pytest.raises(InputError, match="1 samples a step for 2 GPUs") as raised:
        call_stage(train_shared, job)
    assert raised.value.kind == "input"
    assert not (tmp_path / "job" / "edit.safetensors").exists()
