"""Each of the repository's demo models loads offline as its real class, and runs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import WanImageToVideoPipeline
from PIL import Image
from transformers import AutoProcessor, CLIPModel, Florence2ForConditionalGeneration

from demo.scenes import random_scene, render
from demo.vocabulary import UNKNOWN, build_tokenizer

MODELS_FOLDER = Path(__file__).parents[2] / "demo/models"


def demo_image() -> Image.Image:
    """Render a frame of 160 x 96 pixels."""
    return Image.fromarray(render(random_scene(np.random.default_rng(5), num_frames=1))[0][0])


def test_wan_pipeline_makes_a_video() -> None:
    """The Wan folder loads as the diffusers pipeline in float32 and yields finite frames that are not saturated."""
    pipeline = WanImageToVideoPipeline.from_pretrained(
        MODELS_FOLDER / "wan2.1-i2v-tiny", dtype=torch.float32, local_files_only=True
    )
    pipeline.set_progress_bar_config(disable=True)
    assert pipeline.transformer.dtype == pipeline.vae.dtype == pipeline.text_encoder.dtype == torch.float32
    frames = pipeline(
        image=demo_image().resize((64, 48)),
        prompt="a red star moving to the right",
        height=48,
        width=64,
        num_frames=5,
        num_inference_steps=1,
        guidance_scale=1.0,
        generator=torch.Generator().manual_seed(0),
    ).frames[0]
    assert frames.shape == (5, 48, 64, 3)
    assert np.isfinite(frames).all()
    assert ((frames > 0) & (frames < 1)).mean() > 0.5


def test_wan_latents_are_normalised() -> None:
    """With the VAE's stored mean and deviation, latents of a rendered clip have about unit scale."""
    pipeline = WanImageToVideoPipeline.from_pretrained(
        MODELS_FOLDER / "wan2.1-i2v-tiny", transformer=None, text_encoder=None, image_encoder=None
    )
    vae = pipeline.vae.float()
    video, _ = render(random_scene(np.random.default_rng(6), num_frames=5))
    model_video = torch.from_numpy(video).permute(3, 0, 1, 2)[None] / 127.5 - 1
    with torch.no_grad():
        latents = vae.encode(model_video).latent_dist.mode()
    mean, std = (
        torch.tensor(values)[:, None, None, None] for values in (vae.config.latents_mean, vae.config.latents_std)
    )
    normalised = (latents[0] - mean) / std
    assert latents.shape == (1, 16, 2, 12, 20)
    assert normalised.mean().abs() < 0.7
    assert 0.4 < normalised.std() < 2.5


def test_florence_captions_an_image() -> None:
    """The Florence-2 folder answers a captioning task with a text."""
    folder = MODELS_FOLDER / "florence-2-tiny"
    model = Florence2ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
    image, task = demo_image(), "<DETAILED_CAPTION>"
    inputs = processor(text=task, images=image, return_tensors="pt")
    tokens = model.generate(**inputs, num_beams=3, max_new_tokens=24)
    text = processor.batch_decode(tokens, skip_special_tokens=False)[0]
    answer = processor.post_process_generation(text, task=task, image_size=image.size)[task]
    assert isinstance(answer, str) and answer


def test_clip_compares_text_and_image() -> None:
    """The CLIP folder scores an image against texts of different lengths."""
    folder = MODELS_FOLDER / "clip-tiny"
    model = CLIPModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
    texts = ["a red star", "a blue circle with white stripes", "something else"]
    inputs = processor(text=texts, images=demo_image(), return_tensors="pt", padding=True)
    with torch.no_grad():
        scores = model(**inputs).logits_per_image
    assert scores.shape == (1, 3) and scores.isfinite().all()


@pytest.mark.parametrize("text", ["a red star", "Zebra, 50 % grey!", "Привет, мир", "你好 🙂"])
def test_tokenizer_takes_any_text(text: str) -> None:
    """Known words, other words, other scripts: nothing is lost."""
    tokenizer = build_tokenizer(ends=True, starts=False)
    ids = tokenizer(text).input_ids
    assert tokenizer.convert_tokens_to_ids(UNKNOWN) not in ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_known_word_is_one_token() -> None:
    """A caption's words are not split into letters."""
    assert len(build_tokenizer(ends=True, starts=False)("a red star").input_ids) == 4  # with the end


def test_models_are_small_and_hold_no_pickle() -> None:
    """The folder stays below 45 MB, and nothing in it can run code when loaded."""
    files = [path for path in MODELS_FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 45_000_000
    assert {path.suffix for path in files} <= {".json", ".yaml", ".safetensors", ".md"}
