"""A training that is stopped goes on from its last saved step."""

import json
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from lib.core.errors import InputError, InterruptionError
from lib.models.base import Sample
from lib.models.load import load_model
from lib.training.fine_tuning import train_lora
from lib.training.loop import start_training, train
from lib.training.lora import attach_lora
from tests.conftest import TINY_WAN
from tests.lib.training.example_training import ADAPTER, LAYERS, OBJECTIVE, OPTIMIZER, TRAINING, files_of, sample_of


class _StopsAt(list[Sample]):
    """Samples of which the one of a certain step comes with a signal."""

    countdown = 0

    def __getitem__(self, index: Any) -> Any:
        self.countdown -= 1
        if self.countdown == 0:
            signal.raise_signal(signal.SIGTERM)
        return super().__getitem__(index)


def _train(folder: Path, stop_at: int | None = None, training: str = TRAINING) -> bytes:
    """Train eight steps on two samples, or stop after some; return the LoRA's bytes."""
    model = load_model(TINY_WAN, {"transformer"}, device=torch.device("cpu"), dtype=torch.float32)
    samples = _StopsAt([sample_of(model, 1), sample_of(model, 2)])
    samples.countdown = stop_at or 0
    files = files_of(folder / "lora.safetensors", folder / "curve.jsonl", training=training)
    optimizer = replace(OPTIMIZER, decay_share=0.5)
    train_lora(model, samples, [(0,), (1,)] * 4, ADAPTER, optimizer, OBJECTIVE, **files)
    return (folder / "lora.safetensors").read_bytes()


def _curve(folder: Path) -> list[tuple[int, float]]:
    rows = [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]
    return [(row["step"], row["loss"]) for row in rows]


def test_a_stopped_training_ends_with_the_bits_of_an_unbroken_one(tmp_path: Path) -> None:
    """SIGTERM after step 3, and again after step 5: no LoRA is left, and the third start ends like an unbroken run."""
    stopped, unbroken = tmp_path / "stopped", tmp_path / "unbroken"
    whole = _train(unbroken)
    with pytest.raises(InterruptionError, match="stopped by SIGTERM after step 3 of 8"):
        _train(stopped, stop_at=3)
    assert [path.name for path in stopped.iterdir()] == [".lora.state.safetensors"]
    with pytest.raises(InterruptionError, match="after step 5 of 8"):
        _train(stopped, stop_at=2)
    assert _train(stopped) == whole
    assert _curve(stopped) == _curve(unbroken)
    assert sorted(path.name for path in stopped.iterdir()) == ["curve.jsonl", "lora.safetensors"]


@pytest.mark.parametrize("damage", ["other training", "cut off"])
def test_a_state_that_does_not_fit_is_not_taken_up(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A state of other settings, or half a file: training starts anew, says so, and ends as if there were none."""
    whole = _train(tmp_path / "unbroken")
    folder = tmp_path / "stopped"
    with pytest.raises(InterruptionError):
        _train(folder, stop_at=3, training="other settings" if damage == "other training" else TRAINING)
    state = folder / ".lora.state.safetensors"
    if damage == "cut off":
        state.write_bytes(state.read_bytes()[:1000])
    assert _train(folder) == whole
    assert "not taken up" in capsys.readouterr().out


def test_the_state_is_kept_every_so_many_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill that no handler sees loses the steps since the last save alone; a save holds no later step's numbers."""
    monkeypatch.setattr("lib.training.fine_tuning.STEPS_BETWEEN_SAVES", 3)
    monkeypatch.setattr("lib.training.state.save_file", _save_late)
    model = load_model(TINY_WAN, {"transformer"}, device=torch.device("cpu"), dtype=torch.float32)
    sample = sample_of(model, 1)
    broken = Sample(sample.latents * float("nan"), sample.conditioning)  # ends the run as abruptly as a kill
    files = files_of(tmp_path / "lora.safetensors", tmp_path / "curve.jsonl")
    with pytest.raises(InputError, match="at step 5"):
        train_lora(model, [sample, broken], [(0,)] * 4 + [(1,)], ADAPTER, OPTIMIZER, OBJECTIVE, **files)
    with safe_open(tmp_path / ".lora.state.safetensors", framework="pt") as opened:
        curve = json.loads(opened.metadata()["state"])["curve"]
        weights = {name: opened.get_tensor(name) for name in opened.keys() if name.startswith("parameter")}  # noqa: SIM118
    assert [json.loads(line)["step"] for line in curve] == [1, 2, 3]
    expected = _parameters_after(3)
    assert all(torch.equal(weights[f"parameter.{index}"], wanted) for index, wanted in enumerate(expected))


def _save_late(*arguments: Any, **options: Any) -> None:
    """Write when the next steps are done."""
    time.sleep(0.5)
    save_file(*arguments, **options)


def _parameters_after(num_steps: int) -> list[torch.Tensor]:
    """Train as the test above does, but no further."""
    model = load_model(TINY_WAN, {"transformer"}, device=torch.device("cpu"), dtype=torch.float32)
    targets = model.lora_target_modules(LAYERS)
    parameters = attach_lora(model.transformer, targets, ADAPTER.rank, ADAPTER.alpha, 7)
    state = start_training(parameters, OPTIMIZER, 7)
    for _ in train(model, state, [sample_of(model, 1)], [(0,)] * num_steps, OPTIMIZER, OBJECTIVE):
        pass
    return [parameter.detach() for parameter in parameters]


def test_a_state_that_cannot_be_written_fails_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """States are written beside the training, but an error in that is not lost."""
    monkeypatch.setattr("lib.training.fine_tuning.STEPS_BETWEEN_SAVES", 2)
    folder = tmp_path / "lora"
    folder.mkdir()
    (folder / ".lora.state.safetensors").mkdir()  # what is in its place cannot be replaced by a file
    with pytest.raises(IsADirectoryError):
        _train(folder)
