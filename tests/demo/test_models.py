"""Each of the repository's demo models loads offline as its real class, and runs."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from diffusers import WanImageToVideoPipeline
from numpy.typing import NDArray
from PIL import Image
from transformers import (
    AutoImageProcessor,
    AutoProcessor,
    AutoTokenizer,
    CLIPModel,
    CLIPVisionModel,
    Florence2ForConditionalGeneration,
)

from demo.training.captioner import TASK, named_figures
from demo.training.clip import IMAGE_SIZE, make_pairs, measure_retrieval
from demo.training.detector import measure_detections, render_split
from demo.training.frame_pool import first_frame_caption, render_pool
from demo.vocabulary import UNKNOWN, build_tokenizer
from demo.world.random_scenes import number_scene, random_scene
from demo.world.rendering import render
from demo.world.scenes import Figure, Motion, Scene
from lib.config.settings import load_config
from lib.core.project import ROOT
from lib.diffusion.captions import caption_frame, load_captioner
from lib.inputs.lora_files import check_lora
from lib.inputs.model_files import identify_models
from lib.inputs.shared_lora import MASK, MODEL, check_trained_on, read_facts
from lib.masks.detector import load_detector
from lib.masks.ultralytics_setup import configure_ultralytics
from lib.models.load import load_model
from lib.video.arrays import to_decoded_video, to_model_video

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


def test_captioner_names_the_figures_of_held_out_frames() -> None:
    """At least 11 of 12 held-out first frames, a quarter of them portrait, have all figures named rightly, in order."""
    captioner = load_captioner(str(MODELS_FOLDER / "florence-2-tiny"), torch.device("cpu"), download=False)
    scenes = [number_scene("held_out", 1000 + number, is_portrait=number % 4 == 0) for number in range(12)]
    said = [caption_frame(*captioner, render(scene)[0][0], TASK, num_beams=3, max_new_tokens=64) for scene in scenes]
    pairs = zip(said, (first_frame_caption(scene) for scene in scenes), strict=True)
    assert sum(named_figures(answer) == named_figures(truth) for answer, truth in pairs) >= 11


def test_detector_finds_the_figures_of_held_out_scenes(tmp_path: Path) -> None:
    """On a few held-out scenes the detector's mAP50 is at least 0.85 (0.9 on more of them, see metadata.json)."""
    configure_ultralytics(tmp_path)
    network = load_detector(MODELS_FOLDER / "yolo11-tiny").model.eval()
    assert measure_detections(network, render_split("held_out", 8, "cpu"))["mAP50"] >= 0.85


def test_clip_finds_the_caption_of_a_frame_and_the_frame_of_a_caption() -> None:
    """Among 64 held-out scenes of different captions, nine in ten are found either way."""
    folder = MODELS_FOLDER / "clip-tiny"
    model = CLIPModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()
    processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
    measured = measure_retrieval(
        model, processor, make_pairs(render_pool("held_out", 96, IMAGE_SIZE, "cpu"), processor)
    )
    assert measured["groups of 64"] == 1
    assert measured["image to text"] >= 0.9 and measured["text to image"] >= 0.9


def test_wan_looks_at_frames_as_the_trained_clip_does() -> None:
    """The Wan folder's image encoder and image processing are those of the CLIP folder."""
    clip_folder, wan_folder = MODELS_FOLDER / "clip-tiny", MODELS_FOLDER / "wan2.1-i2v-tiny"
    ours = CLIPVisionModel.from_pretrained(wan_folder, subfolder="image_encoder").state_dict()
    clip = CLIPVisionModel.from_pretrained(clip_folder).state_dict()
    assert ours.keys() == clip.keys() and all(torch.equal(ours[name], clip[name]) for name in ours)
    frame = demo_image()
    processor = AutoImageProcessor.from_pretrained(wan_folder, subfolder="image_processor")
    expected = AutoProcessor.from_pretrained(clip_folder).image_processor(images=frame, return_tensors="pt")
    assert torch.equal(processor(images=frame, return_tensors="pt").pixel_values, expected.pixel_values)


@pytest.mark.parametrize(
    ("folder", "starts"), [("clip-tiny", True), ("florence-2-tiny", False), ("wan2.1-i2v-tiny/tokenizer", False)]
)
def test_words_keep_the_numbers_that_the_weights_know(folder: str, starts: bool) -> None:
    """A new word in the captions would shift all token ids: then the models need training anew."""
    shipped = AutoTokenizer.from_pretrained(MODELS_FOLDER / folder, local_files_only=True)
    assert shipped.get_vocab() == build_tokenizer(ends=True, starts=starts).get_vocab()


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
    """The folder stays below 60 MB, and nothing in it can run code when loaded."""
    files = [path for path in MODELS_FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 60_000_000
    assert {path.suffix for path in files} <= {".json", ".yaml", ".safetensors", ".md"}


def test_the_vae_keeps_a_still_outline_sharp() -> None:
    """A triangle comes back through it with its outline within a pixel, in every frame."""
    wan = load_model(
        MODELS_FOLDER / "wan2.1-i2v-tiny", {"vae"}, family="wan", device=torch.device("cpu"), dtype=torch.float32
    )
    triangle = Figure(shape="triangle", colour="orange", motion=Motion(path=((0.5, 0.5),), radius=(0.2, 0.2)))
    scene = Scene(figures=(triangle,), ground="blue", texture_seed=5, num_frames=17)
    video, visible = render(scene)
    figure, ground = visible[0, 0], render(replace(scene, figures=()))[0][0].astype(float)
    colour = video[0][figure].mean(axis=0)  # the triangle is of one colour
    with torch.no_grad():
        round_trip = to_decoded_video(wan.decode_latents(wan.encode_video(to_model_video(video))))
    for frame in round_trip.astype(float):
        nearer = ((frame - colour) ** 2).sum(-1) < ((frame - ground) ** 2).sum(-1)
        assert cv2.distanceTransform((~_outline(figure)).astype(np.uint8), cv2.DIST_L2, 5)[_outline(nearer)].mean() < 1
        assert cv2.distanceTransform((~_outline(nearer)).astype(np.uint8), cv2.DIST_L2, 5)[_outline(figure)].mean() < 1


def _outline(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the region's pixels beside others."""
    return region & (cv2.erode(region.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0)


def test_the_demo_starts_from_a_shared_lora_of_its_model(tmp_path: Path) -> None:
    """config.yaml names it, it was trained on the weights that are here, and each kind's file is for that kind."""
    config = load_config({}, ROOT)
    paths = {mask: ROOT / config.training.shared.format(mask=mask) for mask in ("edit", "first_frame")}
    files = identify_models({"model.name": str(ROOT / config.model.name)}, tmp_path / "models.json", download=False)
    assert not check_trained_on(paths, files.of("model.name", only=["transformer"]))
    for mask, path in paths.items():
        assert {MODEL, MASK} <= read_facts(path).keys() and read_facts(path)[MASK] == mask
        assert not check_lora(path, None, config.training.rank)
