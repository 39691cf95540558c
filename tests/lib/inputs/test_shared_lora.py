"""Which clips train a shared LoRA, when it is there, and which given ones are refused."""

from pathlib import Path
from typing import Any

import pytest
import torch

from lib.config.settings import load_config
from lib.core.errors import InputError
from lib.core.failures import write_failure
from lib.core.files import write_json
from lib.core.project import ROOT
from lib.inputs.clips import Batch
from lib.inputs.layout import Layout
from lib.inputs.run_checks import check_run
from lib.inputs.shared_lora import (
    MASK,
    MODEL,
    check_shared_loras,
    check_trained_on,
    choose_clips,
    is_made,
    model_print,
    read_facts,
    without_failed,
)
from lib.models.load import load_model
from lib.training.lora import attach_lora, save_lora
from tests.conftest import TINY_WAN

FILES = {"model.name/transformer": "0123"}


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shared LoRA of the tiny model, as `train_shared` writes it."""
    path = tmp_path_factory.mktemp("shared") / "edit.safetensors"
    model = load_model(TINY_WAN, {"transformer"}, device=torch.device("cpu"), dtype=torch.float32)
    attach_lora(model.transformer, model.lora_target_modules(["self_attention"]), 4, 4.0, 0)
    save_lora(model.transformer, path, {MODEL: model_print(FILES), MASK: "edit"})
    return path


def test_clips_are_chosen_by_seed_and_stay_when_others_come() -> None:
    """The same seed chooses the same clips; of a larger batch most of them again; another seed others."""
    clips = [f"clip-{number}" for number in range(100)]
    chosen = choose_clips(clips, 20, seed=0)
    assert len(set(chosen)) == 20 and chosen == choose_clips(reversed(clips), 20, seed=0)
    more = choose_clips([*clips, "later-1", "later-2"], 20, seed=0)
    assert len(set(chosen) & set(more)) >= 18
    assert set(choose_clips(clips, 20, seed=1)) != set(chosen)
    assert len(choose_clips(clips, None, seed=0)) == 100


def test_clips_that_failed_are_left_out(tmp_path: Path) -> None:
    """By the stages that their samples need, not by others; where all failed, all are tried again."""
    logs = tmp_path / "logs"
    for log in ("a/extract_frames.log", "b/encode_shared.edit.log", "c/an-edit/segment_masks.log"):
        (logs / log).parent.mkdir(parents=True, exist_ok=True)
        write_failure(logs / log, "other", "a reason", 1, [])
    for log in ("d/train_lora_decouple.edit.log", "e/encode_shared.first_frame.log"):
        (logs / log).parent.mkdir(parents=True, exist_ok=True)
        write_failure(logs / log, "other", "a reason", 1, [])
    assert without_failed(["a", "b", "c", "d", "e", "f"], tmp_path, "edit") == ["d", "e", "f"]
    assert without_failed(["a", "b"], tmp_path, "edit") == ["a", "b"]


def test_a_shared_lora_of_other_weights_or_masks_is_refused(lora: Path) -> None:
    """What the file says of its model and its masks is held against the run's; its rank too."""
    assert read_facts(lora) == {MODEL: model_print(FILES), MASK: "edit"}
    assert check_shared_loras({"edit": lora}, None, rank=4) == [] == check_trained_on({"edit": lora}, FILES)
    (masks,) = check_shared_loras({"first_frame": lora}, None, rank=4)
    assert "trained with masks of kind edit, for methods that train with first_frame" in str(masks)
    (rank,) = check_shared_loras({"edit": lora}, None, rank=16)
    assert "a LoRA of rank 4" in str(rank)
    (model,) = check_trained_on({"edit": lora}, {"model.name/transformer": "other"})
    assert "trained on other weights" in str(model) and "training.shared: batch" in str(model)
    (missing,) = check_shared_loras({"edit": lora.with_name("none.safetensors")}, None, rank=4)
    assert "no file" in str(missing)


def test_it_is_made_where_the_same_settings_made_it(tmp_path: Path) -> None:
    """Other settings, another version of the stage, or no file: it is still to be trained."""
    path, settings = tmp_path / "edit.safetensors", {"version": 1, "shared": {"steps": 4}, "layers": ["a"]}
    assert not is_made(path, settings)
    path.touch()
    write_json(path.with_suffix(".json"), {"stage_version": 1, "settings": {"shared": {"steps": 4}, "layers": ["a"]}})
    assert is_made(path, settings)
    assert not is_made(path, {**settings, "version": 2}) and not is_made(path, {**settings, "shared": {"steps": 5}})


def _told(settings: dict[str, Any]) -> list[str]:
    config = load_config(settings, ROOT)
    layout = Layout("results", config.mask.shape, None, config.training.shared, config.shared.clip_steps)
    return [str(problem) for problem in check_run(config, Batch((), (), {}), layout)]


def test_a_shared_lora_that_is_nowhere_is_told(lora: Path) -> None:
    """A path that no kind of mask has; a method that takes the shared LoRA as it is, of a mask without one."""
    pattern = str(lora.with_name("{mask}.safetensors"))
    nowhere = str(lora.with_name("none-{mask}.safetensors"))
    (told,) = _told({"training": {"shared": nowhere, "rank": 4}})
    assert "exists for none of the masks edit" in told and "none-edit.safetensors" in told
    assert _told({"training": {"shared": pattern, "rank": 4}}) == []
    naive = {"clip_lora": False, "train_mask": "first_frame", "generate_mask": "first_frame"}
    methods = {"methods": ["mask_lora", "naive_as_is"], "method_presets": {"naive_as_is": naive}}
    (told,) = _told({"training": {"shared": pattern, "rank": 4}, **methods})
    assert "does not exist for mask first_frame of method naive_as_is" in told
    with pytest.raises(InputError, match="training.shared none; expected training.shared: batch"):
        _told({"training": {"shared": "none"}, "methods": ["shared_lora_only"]})
    with pytest.raises(InputError, match="a .safetensors file"):
        _told({"training": {"shared": "results/{clip}.safetensors"}})
