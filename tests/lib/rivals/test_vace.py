"""VACE as diffusers' own pipeline runs it, given what our methods are given."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import UniPCMultistepScheduler, WanVACEPipeline
from PIL import Image

from lib.config.rival_sections import VaceSection
from lib.rivals.vace import GREY, Edit, edit_with_vace, load_vace, prepare
from tests.lib.rivals.tiny_vace import save_vace

CPU = torch.device("cpu")
SETTINGS = VaceSection(num_steps=2, guidance=3.0, shift=4.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny checkpoint."""
    path = tmp_path_factory.mktemp("vace") / "model"
    save_vace(path)
    return path


@pytest.fixture
def edit() -> Edit:
    """Nine frames, of which a corner is to be filled."""
    generator = np.random.default_rng(0)
    source = generator.integers(0, 60, (9, 32, 48, 3), np.uint8)
    source[:, :, 24:] += 190  # dark and bright halves: a tiny VAE of random weights sees little else
    mask = np.zeros(source.shape[:3], np.bool_)
    mask[:, :16, :16] = True
    return Edit(source, 255 - source[0], mask, "a red star", "blur")


@pytest.mark.parametrize("how", ["frame", "reference", "both"])
def test_the_video_is_the_pipelines_own(folder: Path, edit: Edit, how: str) -> None:
    """Called by hand with the same frames, mask, seed and settings."""
    settings = SETTINGS.model_copy(update={"first_frame": how})
    steps: list[int] = []
    pipeline = load_vace(str(folder), CPU, torch.float32, "auto", download=False)
    made = edit_with_vace(pipeline, edit, [(0, 9)], settings, seed=7, show=steps.append)
    assert made.shape == edit.source.shape and steps == [1, 2]
    own = WanVACEPipeline.from_pretrained(folder, torch_dtype=torch.float32)
    own.scheduler = UniPCMultistepScheduler.from_config(own.scheduler.config, flow_shift=4.0)
    video, mask = edit.source.copy(), edit.mask.copy()
    video[mask] = GREY
    if how != "reference":
        video[0], mask[0] = edit.first_frame, False
    expected = own(
        prompt="a red star",
        negative_prompt="blur",
        video=[Image.fromarray(frame) for frame in video],
        mask=[Image.fromarray(np.uint8(255) * plane) for plane in mask],
        reference_images=None if how == "frame" else [Image.fromarray(edit.first_frame)],
        height=32,
        width=48,
        num_frames=9,
        num_inference_steps=2,
        guidance_scale=3.0,
        generator=torch.Generator("cpu").manual_seed(7),
        output_type="np",
    ).frames[0]
    assert np.abs(made.astype(int) - np.round(expected * 255)).max() <= 1


def test_what_it_is_given_counts(folder: Path, edit: Edit) -> None:
    """Another first frame, another background or another mask makes another video; what is under the mask does not."""
    pipeline = load_vace(str(folder), CPU, torch.float32, "auto", download=False)

    def made(of: Edit) -> np.ndarray:
        return edit_with_vace(pipeline, of, [(0, 9)], SETTINGS, seed=7, show=lambda _: None)

    under = edit.source.copy()
    under[1:, :16, :16] = 255
    first = made(edit)
    assert (made(Edit(under, edit.first_frame, edit.mask, edit.prompt, edit.negative_prompt)) == first).all()
    others = (
        Edit(255 - edit.source, edit.first_frame, edit.mask, edit.prompt, edit.negative_prompt),
        Edit(edit.source, edit.source[0], edit.mask, edit.prompt, edit.negative_prompt),
        Edit(edit.source, edit.first_frame, ~edit.mask, edit.prompt, edit.negative_prompt),
    )
    assert all((made(other) != first).any() for other in others)


def test_later_windows_go_on_from_the_frames_before(folder: Path, edit: Edit) -> None:
    """They keep them, however the first frame is given; the video has every frame once."""
    settings = SETTINGS.model_copy(update={"first_frame": "reference"})
    video, mask = prepare(edit.source[4:], edit.mask[4:], edit.source[4:6] // 2, settings)
    assert (video[:2] == edit.source[4:6] // 2).all() and not mask[:2].any()
    assert (video[2:, :16, :16] == GREY).all() and (mask[2:, :16, :16] == 255).all() and not mask[:, 16:].any()
    pipeline = load_vace(str(folder), CPU, torch.float32, "auto", download=False)
    steps: list[int] = []
    made = edit_with_vace(pipeline, edit, [(0, 5), (4, 9)], SETTINGS, seed=7, show=steps.append)
    assert made.shape == edit.source.shape and steps == [1, 2, 3, 4]
    alone = edit_with_vace(pipeline, edit, [(0, 5)], SETTINGS, seed=7, show=steps.append)
    assert (made[:5] == alone).all()
