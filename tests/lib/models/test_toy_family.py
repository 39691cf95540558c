"""Adding a family touches its folder and one list: the toy, which lives in tests, edits a clip with lib as it is."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lib.config.families import FAMILIES, family_of
from lib.config.settings import load_config
from lib.core.errors import InputError
from lib.diffusion.encoding import encode_edit, encode_source, largest_batch, load_encoded, load_samples, save_encoded
from lib.diffusion.generation import EditedClip, Sampling, generate_video
from lib.inputs.checkpoints import check_models, read_lora_targets
from lib.inputs.disk import estimate_lora_bytes
from lib.inputs.lora_files import check_lora
from lib.models.base import VideoModel
from lib.models.load import load_model
from lib.training.fine_tuning import Adapter, train_lora
from lib.training.loop import Objective, Optimizer
from lib.training.lora import load_for_generation
from lib.training.schedule import make_schedule
from lib.video.windows import plan_windows
from tests.conftest import ROOT, TINY_WAN
from tests.lib.models.toy.checkpoint import checkpoint

KINDS = ("self_attention", "cross_attention", "feed_forward")
OPTIMIZER = Optimizer(learning_rate=0.05, decay_share=0.0, beta1=0.9, beta2=0.99, weight_decay=0.01, gradient_clip=1.0)
SAMPLING = Sampling(
    num_steps=3, guidance=2.0, shift=5.0, seed=0, lock_latents=True, composite=True, feather=2.0, cache_threshold=0.0
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model folder of the toy, which one entry in the list makes known."""
    monkeypatch.setitem(FAMILIES, "toy", "tests.lib.models.toy")
    return checkpoint(tmp_path / "toy-model")


@pytest.fixture
def clip() -> EditedClip:
    """Nine frames of 32x24 of which the left half may change, with a darkened first frame."""
    source_video = np.random.default_rng(0).integers(0, 255, (9, 24, 32, 3), dtype=np.uint8)
    edit_mask = np.zeros(source_video.shape[:3], bool)
    edit_mask[:, :, :16] = True
    return EditedClip(source_video, source_video[0] // 2, edit_mask, "edit")


def _load(folder: Path, *components: str) -> VideoModel:
    return load_model(folder, components, family="toy", device=torch.device("cpu"), dtype=torch.float32)


def _encode(folder: Path, clip: EditedClip, window: int) -> None:
    """Write source.safetensors and edit.safetensors, with one reference, into the folder."""
    model = _load(folder, "vae", "encoders")
    windows = plan_windows(len(clip.source_video), window, 3)
    source = encode_source(model, clip.source_video, clip.edit_mask, "a cat", "edit", windows=windows)
    save_encoded(source, folder / "source.safetensors")
    given = (clip.source_video, clip.first_frame, {3: clip.source_video[3] // 2}, clip.edit_mask, "a dog", "", "edit")
    save_encoded(encode_edit(model, *given, reference_sample="placed", window=window), folder / "edit.safetensors")


def _train(folder: Path, lora: Path) -> None:
    """Train two steps, of the source's windows and the reference."""
    model, encoded = _load(folder, "transformer"), (folder / "source.safetensors", folder / "edit.safetensors")
    samples = load_samples(*encoded, model.device)
    assert largest_batch(*encoded, reference_draws=1) == max(sample.latents.shape for sample in samples.source)
    train_lora(
        model,
        samples.in_order,
        make_schedule(2, samples.counts, 0.0, 0.5, 1),
        Adapter(4, 4.0, KINDS),
        OPTIMIZER,
        Objective(sigma_shift=1.0, region_weight=2.0),
        seed=7,
        start_from=None,
        lora_path=lora,
        curve_path=lora.with_suffix(".jsonl"),
        training="toy",
    )


def _generate(folder: Path, clip: EditedClip, window: int, lora: Path | None) -> np.ndarray:
    model = _load(folder, "vae", "transformer")
    if lora:
        load_for_generation(model, lora, 1.0)
    encoded = load_encoded(folder / "edit.safetensors", model.device)
    return generate_video(model, encoded, clip, plan_windows(len(clip.source_video), window, 3), SAMPLING)


@pytest.mark.parametrize("window", [9, 5])
def test_a_clip_is_encoded_learnt_and_generated(folder: Path, clip: EditedClip, window: int) -> None:
    """Whole and in windows: what was learnt is saved, loaded, and changes the region to edit alone."""
    lora = folder / "lora.safetensors"
    _encode(folder, clip, window)
    _train(folder, lora)
    with_lora, without = _generate(folder, clip, window, lora), _generate(folder, clip, window, None)
    assert with_lora.shape == clip.source_video.shape and with_lora.dtype == np.uint8
    assert np.array_equal(with_lora[1:, :, 16:], clip.source_video[1:, :, 16:])
    assert np.abs(with_lora[1:, :, :16].astype(int) - without[1:, :, :16]).max() > 8
    assert np.array_equal(_generate(folder, clip, window, lora), with_lora)


def test_its_lora_is_held_against_its_layers(folder: Path, clip: EditedClip) -> None:
    """A file that training wrote is as large as planned, passes its own family's check, and no other's."""
    lora = folder / "lora.safetensors"
    _encode(folder, clip, 9)
    _train(folder, lora)
    targets = read_lora_targets(str(folder), family_of("toy"))
    assert check_lora(lora, targets, 4) == []
    assert estimate_lora_bytes(targets, 4, KINDS) == sum(tensor.nbytes for tensor in load_file(lora).values())
    problems = check_lora(lora, read_lora_targets(str(TINY_WAN), family_of("wan")), 4)
    assert len(problems) == 1 and "a layer tower.0." in problems[0].found
    problems = check_lora(lora, family_of("toy").lora_targets({"floors": 3, "width": 16}), 4)
    assert len(problems) == 1 and "no weights for tower.2." in problems[0].found and "3 floors" in problems[0].expected


def test_a_run_of_it_is_planned(folder: Path) -> None:
    """Its name is known, its sizes are its own, and its folder passes where Wan's does not."""
    video = {"num_frames": 7, "width": 44, "height": 36, "window_overlap": 3}
    settings = load_config({"model": {"name": str(folder), "family": "toy"}, "video": video}, ROOT)
    assert (settings.model.family, settings.video.num_frames) == ("toy", 7)
    for key, value, expected in (("num_frames", 8, "expected 2N+1"), ("width", 46, "expected a multiple of 4 pixels")):
        with pytest.raises(InputError, match=f"video.{key}: found {value}; {expected}".replace("+", r"\+")):
            load_config({"model": {"name": str(folder), "family": "toy"}, "video": {**video, key: value}}, ROOT)
    others = {"captioner": str(ROOT / "demo/models/florence-2-tiny"), "clip_model": str(ROOT / "demo/models/clip-tiny")}
    assert check_models((str(folder), "toy"), detectors={}, download=False, **others) == []
    problems = check_models((str(TINY_WAN), "toy"), detectors={}, download=False, **others)
    assert len(problems) == 1 and "or model.family: wan" in problems[0].expected


def test_a_family_that_is_not_in_the_list_is_no_family() -> None:
    """Without its entry the toy is unknown, and the message lists those that are known."""
    with pytest.raises(
        InputError, match="model.family: found 'toy'; expected one of hunyuan_video, hunyuan_video_15, wan"
    ):
        load_config({"model": {"name": "toy", "family": "toy"}}, ROOT)
