"""Image editors as diffusers' own pipelines run them."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import FluxKontextPipeline, StableDiffusionInstructPix2PixPipeline
from PIL import Image

from lib.config.editor_section import EditorSection
from lib.core.errors import InputError
from lib.editors.base import Editor, to_picture
from lib.editors.load import load_editor
from tests.lib.editors.tiny_editors import save_flux_kontext, save_instruct_pix2pix

CPU = torch.device("cpu")
WORDS = "make the star blue"
PIX2PIX = EditorSection(num_steps=2, guidance=6, image_guidance=1.2)
KONTEXT = EditorSection(num_steps=2, guidance=3, megapixels=48 * 32 / 1e6)


@pytest.fixture(scope="module")
def pix2pix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny InstructPix2Pix."""
    folder = tmp_path_factory.mktemp("editors") / "pix2pix"
    save_instruct_pix2pix(folder)
    return folder


@pytest.fixture(scope="module")
def kontext(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny FLUX.1 Kontext."""
    folder = tmp_path_factory.mktemp("editors") / "kontext"
    save_flux_kontext(folder)
    return folder


@pytest.fixture
def picture() -> np.ndarray:
    """32 rows of 48 pixels."""
    return np.random.default_rng(0).integers(0, 255, (32, 48, 3), np.uint8)


def _load(folder: Path, settings: EditorSection) -> Editor:
    return load_editor(str(folder), settings, CPU, torch.float32, "auto", download=False)


def test_instruct_pix2pix_is_the_pipelines_own(pix2pix: Path, picture: np.ndarray) -> None:
    """Called by hand with the same picture, words, seed and settings; other words or seeds make another picture."""
    editor = _load(pix2pix, PIX2PIX)
    made = editor.edit(picture, WORDS, seed=7)
    own = StableDiffusionInstructPix2PixPipeline.from_pretrained(pix2pix)
    expected = own(
        prompt=WORDS,
        image=Image.fromarray(picture),
        num_inference_steps=2,
        guidance_scale=6.0,
        image_guidance_scale=1.2,
        generator=torch.Generator("cpu").manual_seed(7),
        output_type="np",
    ).images[0]
    assert made.dtype == np.uint8 and made.shape == picture.shape and editor.num_extra == 0
    assert (made == np.round(expected * 255)).all()
    assert (made != picture).any()
    assert (editor.edit(picture, WORDS, seed=8) != made).any()
    assert (editor.edit(picture, "remove everything", seed=7) != made).any()
    assert (editor.edit(255 - picture, WORDS, seed=7) != made).any()
    assert (editor.edit(picture, WORDS, seed=7) == made).all()


def test_flux_kontext_is_the_pipelines_own(kontext: Path, picture: np.ndarray) -> None:
    """At the size that it makes, which is the picture's here."""
    editor = _load(kontext, KONTEXT)
    made = editor.edit(picture, WORDS, seed=7)
    own = FluxKontextPipeline.from_pretrained(kontext)
    expected = own(
        prompt=WORDS,
        image=Image.fromarray(picture),
        height=32,
        width=48,
        max_area=32 * 48,
        _auto_resize=False,
        num_inference_steps=2,
        guidance_scale=3.0,
        generator=torch.Generator("cpu").manual_seed(7),
        output_type="np",
    ).images[0]
    assert made.shape == picture.shape
    assert (made == np.round(expected * 255)).all()
    assert (editor.edit(picture, WORDS, seed=8) != made).any()
    assert (editor.edit(picture, "remove everything", seed=7) != made).any()
    assert (editor.edit(255 - picture, WORDS, seed=7) != made).any()


def test_pictures_of_any_size_come_back_at_theirs(pix2pix: Path, kontext: Path) -> None:
    """Sides that no power of two divides."""
    odd = np.random.default_rng(0).integers(0, 255, (33, 47, 3), np.uint8)
    assert _load(pix2pix, PIX2PIX).edit(odd, WORDS, seed=0).shape == odd.shape
    assert _load(kontext, KONTEXT).edit(odd, WORDS, seed=0).shape == odd.shape


@pytest.mark.skipif(find_spec("torchvision") is not None, reason="torchvision is here: nothing is missing")
@pytest.mark.parametrize("kind", ["QwenImageEditPipeline", "QwenImageEditPlusPipeline"])
def test_a_missing_torchvision_is_told(kind: str, tmp_path: Path) -> None:
    """Before anything is read, with how to get it."""
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": kind}))
    with pytest.raises(InputError, match="pip install torchvision"):
        _load(tmp_path, EditorSection())


def test_only_editors_of_known_classes_are_loaded(pix2pix: Path, tmp_path: Path) -> None:
    """Another pipeline, classes of a module of the folder's own, and weights that are pickled."""
    folder = shutil.copytree(pix2pix, tmp_path / "model")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": "StableDiffusionPipeline"}))
    with pytest.raises(InputError, match="which is a StableDiffusionPipeline"):
        _load(folder, PIX2PIX)
    (folder / "model_index.json").write_text(json.dumps({**index, "unet": ["my_code", "Unet"]}))
    (folder / "unet" / "my_code.py").write_text("raise RuntimeError('code of the folder ran')")
    with pytest.raises(InputError, match="names classes of my_code"):
        _load(folder, PIX2PIX)
    (folder / "model_index.json").write_text(json.dumps(index))
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save({}, weights.with_suffix(".bin"))
    weights.unlink()
    with pytest.raises(OSError, match="safetensors"):
        _load(folder, PIX2PIX)


def test_what_is_no_number_is_no_picture() -> None:
    """It would become black pixels without a word."""
    with pytest.raises(InputError, match="no numbers") as raised:
        to_picture(np.full((2, 2, 3), np.nan))
    assert raised.value.kind == "not_a_number"
