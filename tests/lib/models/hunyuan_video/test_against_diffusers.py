"""Our conditioning and our sampler, held against diffusers' own pipeline on one tiny checkpoint."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, HunyuanVideoImageToVideoPipeline
from PIL import Image

from lib.diffusion.conditioning import make_keep_mask
from lib.diffusion.denoising import denoise, draw_noise
from lib.models.base import Conditioning, VideoModel
from lib.models.hunyuan_video.family import FORMS
from lib.models.load import COMPONENTS, load_model
from lib.video.arrays import to_model_video
from tests.lib.models.hunyuan_video.checkpoint import checkpoint
from tests.lib.video.example_videos import smooth_video

FRAMES, HEIGHT, WIDTH = 9, 48, 64
DROPPED = {"latent_concat": 4, "token_replace": 0}  # frames that the pipeline leaves out of a video
INTERLEAVED = {"latent_concat": 2, "token_replace": 4}  # one picture token in so many is read
GUIDANCES = {"latent_concat": "true_cfg_scale", "token_replace": "guidance_scale"}  # what the pipeline calls it
PROMPT, NEGATIVE = "a red star moving to the right", "blurred"


@pytest.fixture(scope="module", params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    """Either form: channels noisy 16, condition 16 and mask 1; or 16, with clean tokens at time 0, told guidance."""
    return str(request.param)


@pytest.fixture(scope="module")
def folder(form: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint of that form."""
    return checkpoint(tmp_path_factory.mktemp("hunyuan"), form)


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> HunyuanVideoImageToVideoPipeline:
    """The plain pipeline, float32."""
    return HunyuanVideoImageToVideoPipeline.from_pretrained(folder, dtype=torch.float32, local_files_only=True)


@pytest.fixture(scope="module")
def model(folder: Path) -> VideoModel:
    """Ours."""
    return load_model(folder, COMPONENTS, family="hunyuan_video", device=torch.device("cpu"), dtype=torch.float32)


@pytest.fixture(scope="module")
def source_video() -> np.ndarray:
    """Smooth moving colours (frames, height, width, 3) uint8."""
    return smooth_video(FRAMES, HEIGHT, WIDTH)


def first_frame_conditioning(model: VideoModel, source_video: np.ndarray) -> Conditioning:
    """Show the first frame alone, as the pipeline does."""
    video = to_model_video(source_video)
    keep_mask = make_keep_mask("first_frame", np.zeros(source_video.shape[:3], bool), model.frame_stride)
    return model.encode_conditioning(PROMPT, video, keep_mask, video[:, :, :1])


def test_condition_latents_mask_and_start_equal_the_pipelines(
    form: str, model: VideoModel, pipeline: HunyuanVideoImageToVideoPipeline, source_video: np.ndarray
) -> None:
    """With the first-frame mask what is shown, and what denoising starts from, is the pipeline's, bit for bit."""
    image, noise = (
        to_model_video(source_video)[:, :, 0],
        draw_noise((1, 16, 3, HEIGHT // 8, WIDTH // 8), 5, model.device),
    )
    arguments = (image, 1, 16, HEIGHT, WIDTH, FRAMES, torch.float32, model.device, None, noise)
    start, image_latents = pipeline.prepare_latents(*arguments, form)
    image_latents[:, :, 1:] = 0  # as in the pipeline's own call
    ours = first_frame_conditioning(model, source_video)
    assert torch.equal(ours["shown_latents"][:, :, : image_latents.shape[2]], image_latents)
    assert (ours["shown_latents"][:, :, 1:] == 0).all() and image_latents.abs().sum() > 0
    cells = model.regenerated_cells(ours)
    assert cells.shape == (1, 1, 3, HEIGHT // 8, WIDTH // 8)
    assert (cells[:, :, 0] == 0).all() and (cells[:, :, 1:] == 1).all()
    assert torch.equal(model.start_latents(noise, ours), start) and not torch.equal(start, noise)


def test_texts_equal_the_pipelines(
    form: str, model: VideoModel, pipeline: HunyuanVideoImageToVideoPipeline, source_video: np.ndarray
) -> None:
    """LLaVA's and CLIP's states are the pipeline's, bit for bit, but for its padding; they depend on the picture."""
    ours = first_frame_conditioning(model, source_video)
    with torch.no_grad():  # as inside the pipeline's own call
        picture, kept = Image.fromarray(source_video[0]), INTERLEAVED[form]
        states, pooled, mask = pipeline.encode_prompt(picture, PROMPT, image_embed_interleave=kept)
        black = Image.new("RGB", (WIDTH, HEIGHT), 0)
        negative_states, negative_pooled, negative_mask = pipeline.encode_prompt(black, NEGATIVE)
    length = int(mask.sum())
    assert 576 // kept < length < states.shape[1] and torch.equal(ours["llava_states"], states[:, :length])
    assert torch.equal(ours["clip_pooled"], pooled)
    negative = model.encode_prompt(NEGATIVE)
    assert torch.equal(negative["llava_states"], negative_states[:, : int(negative_mask.sum())])
    assert torch.equal(negative["clip_pooled"], negative_pooled)
    seen, unseen = (states["llava_states"][:, -5:] for states in (ours, model.encode_prompt(PROMPT)))
    assert not torch.allclose(seen, unseen, atol=0.1)


@pytest.mark.parametrize("guidance", [1.0, 5.0])
def test_generated_video_equals_the_pipelines(
    form: str, model: VideoModel, pipeline: HunyuanVideoImageToVideoPipeline, source_video: np.ndarray, guidance: float
) -> None:
    """Without a LoRA, same seed, scheduler and guidance: the same video to 1e-3, and what the pipeline drops of it."""
    num_steps, seed = 6, 11
    pipeline.scheduler = FlowMatchEulerDiscreteScheduler(shift=7.0)
    theirs = pipeline(
        image=Image.fromarray(source_video[0]),
        prompt=PROMPT,
        negative_prompt=NEGATIVE,
        height=HEIGHT,
        width=WIDTH,
        num_frames=FRAMES,
        num_inference_steps=num_steps,
        **{GUIDANCES[form]: guidance},
        generator=torch.Generator("cpu").manual_seed(seed),
        output_type="pt",
    ).frames
    ours = generate(model, source_video, pipeline.scheduler.sigmas, guidance, seed)
    assert len(ours) == FRAMES and len(theirs[0]) == FRAMES - DROPPED[form]
    assert (ours[DROPPED[form] :] - theirs[0]).abs().max() < 1e-3
    assert theirs.std() > 0.01  # two grey videos would agree as well


def generate(
    model: VideoModel, source_video: np.ndarray, sigmas: torch.Tensor, guidance: float, seed: int
) -> torch.Tensor:
    """Generate from the first frame alone: (frames, 3, height, width) of 0 to 1."""
    conditioning, negative = first_frame_conditioning(model, source_video), model.encode_prompt(NEGATIVE)
    noise = draw_noise(model.latents_shape(*source_video.shape[:3]), seed, model.device)
    guidance = model.begin_sampling(0.0, guidance)
    latents = denoise(model, noise, sigmas, conditioning, negative, guidance, on_step=lambda _: None)
    return (model.decode_latents(latents).clamp(-1, 1) / 2 + 0.5)[0].permute(1, 0, 2, 3)


def test_guidance_and_prompt_matter(model: VideoModel, source_video: np.ndarray) -> None:
    """The videos compared above are not equal whatever the model is given."""
    sigmas = torch.linspace(1, 0, 4)
    plain, guided = (generate(model, source_video, sigmas, guidance, 1) for guidance in (1.0, 5.0))
    assert (plain - guided).abs().max() > 2e-3
