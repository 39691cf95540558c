"""Qwen-Image-Edit as diffusers' own pipelines run it; its processor cannot be made without torchvision."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lib.config.editor_section import EditorSection
from lib.editors.load import load_editor

pytest.importorskip("torchvision", reason="Qwen's processor needs torchvision, which the project does not install")

WORDS = "make the star blue"
SETTINGS = EditorSection(num_steps=2, guidance=3, megapixels=96 * 64 / 1e6)
SMALL_AREA = 96 * 64  # in place of the megapixel at which the pipelines show a picture


@pytest.mark.parametrize("several", [False, True])
def test_it_is_the_pipelines_own(several: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Called by hand with the same pictures, words and seed; each picture that it is shown counts."""
    import diffusers
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit, pipeline_qwenimage_edit_plus

    from tests.lib.editors.tiny_qwen import save_qwen

    whole = pipeline_qwenimage_edit.calculate_dimensions
    monkeypatch.setattr(pipeline_qwenimage_edit, "calculate_dimensions", lambda _, ratio: whole(SMALL_AREA, ratio))
    monkeypatch.setattr(pipeline_qwenimage_edit_plus, "VAE_IMAGE_SIZE", SMALL_AREA)
    monkeypatch.setattr(pipeline_qwenimage_edit_plus, "CONDITION_IMAGE_SIZE", SMALL_AREA)
    save_qwen(tmp_path, several)
    picture, other = np.random.default_rng(0).integers(0, 255, (2, 64, 96, 3), np.uint8)
    editor = load_editor(str(tmp_path), SETTINGS, torch.device("cpu"), torch.float32, "auto", download=False)
    assert editor.num_extra == (2 if several else 0)
    extra = [other] if several else []
    made = editor.edit(picture, WORDS, 7, extra)
    kind = diffusers.QwenImageEditPlusPipeline if several else diffusers.QwenImageEditPipeline
    shown = [Image.fromarray(each) for each in (picture, *extra)]
    expected = kind.from_pretrained(tmp_path)(
        prompt=WORDS,
        negative_prompt=" ",
        image=shown if several else shown[0],
        height=64,
        width=96,
        num_inference_steps=2,
        true_cfg_scale=3.0,
        generator=torch.Generator("cpu").manual_seed(7),
        output_type="np",
    ).images[0]
    assert made.shape == picture.shape
    assert (made == np.round(expected * 255)).all()
    assert (editor.edit(255 - picture, WORDS, 7, extra) != made).any()
    assert (editor.edit(picture, "remove everything", 7, extra) != made).any()
    if several:
        assert (editor.edit(picture, WORDS, 7, [255 - other]) != made).any()
    odd = picture[:61, :91]
    assert editor.edit(odd, WORDS, 7, extra).shape == odd.shape
