"""New weights under an old name are noticed, and nothing else is."""

import os
from pathlib import Path

import pytest

from lib.core.errors import InputError
from lib.inputs import model_files
from lib.inputs.model_files import ModelFiles, identify_models


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model folder of two parts."""
    folder = tmp_path / "model"
    for place in ("model_index.json", "vae/weights.safetensors", "transformer/a.safetensors", "transformer/b.json"):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(place, encoding="utf-8")
    return folder


def _look(model: Path, tmp_path: Path, download: bool = False) -> ModelFiles:
    return identify_models({"model.name": str(model), "mask.sam2": None}, tmp_path / "seen.json", download)


def test_new_weights_change_their_part_alone(model: Path, tmp_path: Path) -> None:
    """Of the same size too; words for people and hidden files are no part of a model."""
    before = _look(model, tmp_path).parts["model.name"]
    assert set(before) == {"", "vae", "transformer"}
    (model / "transformer/a.safetensors").write_text("TRANSFORMER/a.safetensors", encoding="utf-8")
    (model / "README.md").write_text("words", encoding="utf-8")
    (model / ".cache").mkdir()
    (model / ".cache" / "lock").touch()
    after = _look(model, tmp_path).parts["model.name"]
    assert after["transformer"] != before["transformer"]
    assert after["vae"] == before["vae"] and after[""] == before[""]


def test_the_same_files_elsewhere_or_later_are_the_same_model(model: Path, tmp_path: Path) -> None:
    """A copy, and files that were touched, rerun nothing."""
    before = _look(model, tmp_path)
    os.utime(model / "vae/weights.safetensors", (1, 1))
    assert _look(model, tmp_path) == before
    moved = model.rename(tmp_path / "moved")
    assert _look(moved, tmp_path) == before


def test_a_file_is_read_once(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is known again by its size and time of change."""
    before = _look(model, tmp_path)
    monkeypatch.setattr(model_files, "file_hash", lambda path: pytest.fail(f"{path} is read again"))
    assert _look(model, tmp_path) == before


def test_the_hubs_cache_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files are links to blobs that are named by their hash."""
    cached = tmp_path / "hub" / "models--owner--name"
    snapshot = cached / "snapshots" / ("0" * 40)
    (snapshot / "vae").mkdir(parents=True)
    (cached / "blobs").mkdir()
    for place, digest in (("model_index.json", "a" * 40), ("vae/weights.safetensors", "b" * 64)):
        (cached / "blobs" / digest).touch()
        (snapshot / place).symlink_to(os.path.relpath(cached / "blobs" / digest, (snapshot / place).parent))
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("0" * 40, encoding="utf-8")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(model_files, "file_hash", lambda path: pytest.fail(f"{path} is read"))
    monkeypatch.chdir(tmp_path)
    found = identify_models({"model.name": "owner/name"}, tmp_path / "seen.json", download=False)
    assert set(found.parts["model.name"]) == {"", "vae"}
    assert not identify_models({"model.name": "owner/name"}, tmp_path / "seen.json", download=True).parts


def test_jobs_name_what_they_read(model: Path, tmp_path: Path) -> None:
    """A job that needs the VAE alone is not run again for a new transformer."""
    found = _look(model, tmp_path)
    assert set(found.of("model.name", only=["vae"])) == {"model.name/vae"}
    assert set(found.of("model.name", leave_out=["transformer"])) == {"model.name", "model.name/vae"}
    assert not found.of("mask.sam2", "caption.model")


def test_weights_that_cannot_be_read_are_told(model: Path, tmp_path: Path) -> None:
    """Such as a link to a disk that is gone: the file is named."""
    (model / "vae" / "more.safetensors").symlink_to(tmp_path / "gone.safetensors")
    with pytest.raises(InputError, match=r"gone.safetensors: found a model file that cannot be read"):
        _look(model, tmp_path)
