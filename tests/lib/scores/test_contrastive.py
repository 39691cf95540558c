"""Scores by CLIP and DINOv2, with the demo's CLIP, which knows the scenes, and a tiny DINOv2 of random weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoProcessor, BitImageProcessor, CLIPModel, Dinov2Config, Dinov2Model

from demo.world.captions import caption
from demo.world.random_scenes import number_scene
from demo.world.rendering import render
from lib.scores.contrastive import ClipPair, clip_iqa, dino_consistency, load_clip_pair, pick_score, text_alignment
from tests.conftest import ROOT

CPU = torch.device("cpu")
CLIP = ROOT / "demo" / "models" / "clip-tiny"


@pytest.fixture(scope="module")
def clip() -> ClipPair:
    """The demo's."""
    return load_clip_pair(str(CLIP), CPU, download=False)


def test_text_alignment_is_transformers_own_cosine(clip: ClipPair) -> None:
    """As CLIPModel says it, for each frame; the right caption is nearer than another scene's."""
    scenes = [number_scene("held_out", number) for number in (1000, 1001)]
    video = render(scenes[0])[0][:3]
    right, wrong = (f"{caption(scene, with_motion=False)}." for scene in scenes)
    model, processor = CLIPModel.from_pretrained(CLIP, dtype=torch.float32), AutoProcessor.from_pretrained(CLIP)
    inputs = processor(text=[right, wrong], images=list(video), padding=True, return_tensors="pt")
    wanted = {name: inputs[name] for name in ("input_ids", "attention_mask", "pixel_values")}
    with torch.no_grad():
        logits = model(**wanted).logits_per_image
    scale = float(model.logit_scale.exp().detach())
    assert text_alignment(video, right, clip) == pytest.approx((logits[:, 0] / scale).tolist(), abs=1e-5)
    assert pick_score(video, wrong, clip) == pytest.approx(logits[:, 1].tolist(), abs=1e-4)
    assert np.mean(text_alignment(video, right, clip)) > np.mean(text_alignment(video, wrong, clip))


def test_a_prompt_that_is_too_long_is_cut(clip: ClipPair) -> None:
    """As in CLIP's training; two that differ after the cut are the same."""
    video = np.zeros((1, 32, 32, 3), np.uint8)
    long = "red star " * 300
    assert text_alignment(video, long + "red", clip) == pytest.approx(text_alignment(video, long + "blue", clip))


def test_iqa_is_a_share(clip: ClipPair) -> None:
    """Of the two prompts, 0 to 1."""
    video = render(number_scene("held_out", 1000))[0][:2]
    assert all(value is not None and 0 <= value <= 1 for value in clip_iqa(video, clip))


def test_dino_compares_neighbouring_frames(tmp_path: Path) -> None:
    """By the class token; the first frame has none before it."""
    torch.manual_seed(0)
    config = Dinov2Config(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14)
    model = Dinov2Model(config).eval()
    model.save_pretrained(tmp_path)
    size = {"height": 28, "width": 28}
    BitImageProcessor(size={"shortest_edge": 28}, crop_size=size, do_center_crop=True).save_pretrained(tmp_path)
    video = np.random.default_rng(0).integers(0, 255, (4, 28, 28, 3), np.uint8)
    video[2] = video[1]
    first, *others = dino_consistency(video, str(tmp_path), CPU, download=False)
    assert first is None and others[1] == pytest.approx(1, abs=1e-6)
    processor = BitImageProcessor.from_pretrained(tmp_path)
    with torch.no_grad():
        tokens = model(processor(list(video), return_tensors="pt")["pixel_values"]).last_hidden_state[:, 0]
    expected = torch.nn.functional.cosine_similarity(tokens[1:], tokens[:-1]).tolist()
    assert others == pytest.approx(expected, abs=1e-5)
