"""Captions and the prompts made of them."""

import torch

from lib.diffusion.captions import caption_frame, clean_caption, load_captioner, make_prompt
from tests.conftest import ROOT
from tests.lib.video.example_videos import smooth_video


def test_florence_captions_a_frame_without_special_tokens() -> None:
    """The native class describes a frame in words, the same each time."""
    model, processor = load_captioner(str(ROOT / "demo/models/florence-2-tiny"), torch.device("cpu"), download=False)
    frame = smooth_video(1, 96, 160)[0]
    captions = [caption_frame(model, processor, frame, "<DETAILED_CAPTION>", 3, 32) for _ in range(2)]
    assert captions[0] == captions[1] and captions[0]
    assert "<" not in captions[0]


def test_prompt_has_the_trigger_word_and_no_preamble() -> None:
    """As the authors build it: "p3rs0n," and the caption without "The image shows"."""
    assert clean_caption("</s><s>The image shows a red star.</s><pad>") == "a red star."
    assert make_prompt("p3rs0n", "a red star.") == "p3rs0n, a red star."
    assert make_prompt("", "a red star.") == "a red star."
