"""Our conditioning and our sampler, held against diffusers' own WanImageToVideoPipeline on one checkpoint."""

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, WanImageToVideoPipeline
from PIL import Image

from lib.diffusion.conditioning import make_keep_mask, put_first
from lib.diffusion.denoising import denoise, draw_noise
from lib.execution.convolutions import speed_up_convolutions
from lib.models.base import VideoModel
from lib.video.arrays import to_model_video
from tests.conftest import TINY_WAN

FRAMES, HEIGHT, WIDTH = 9, 64, 96
PROMPT, NEGATIVE = "a red star moving to the right", "blurred"


@pytest.fixture(scope="module")
def pipeline() -> WanImageToVideoPipeline:
    """The plain pipeline on the same checkpoint, float32; its convolutions run in the library that ours run in."""
    pipeline = WanImageToVideoPipeline.from_pretrained(TINY_WAN, dtype=torch.float32, local_files_only=True)
    speed_up_convolutions(pipeline.vae)
    return pipeline


@pytest.fixture(scope="module")
def source_video() -> np.ndarray:
    """Smooth moving colours (frames, height, width, 3) uint8."""
    t, y, x = np.meshgrid(np.arange(FRAMES), np.arange(HEIGHT), np.arange(WIDTH), indexing="ij")
    waves = [127 + 120 * np.sin(x / 9 + t / 3), 127 + 120 * np.cos(y / 7 - t / 4), 127 + 120 * np.sin((x + y) / 11)]
    return np.stack(waves, axis=-1).astype(np.uint8)


def _first_frame_conditioning(model: VideoModel, source_video: np.ndarray) -> dict[str, torch.Tensor]:
    video = to_model_video(source_video)
    keep_mask = make_keep_mask("first_frame", np.zeros(source_video.shape[:3], bool), model.frame_stride)
    condition_video = put_first(video[:, :, :1], video)
    return model.encode_conditioning(PROMPT, condition_video, keep_mask, video[:, :, :1])


def test_first_frame_conditioning_equals_prepare_latents(
    tiny_wan: VideoModel, pipeline: WanImageToVideoPipeline, source_video: np.ndarray
) -> None:
    """With the first-frame mask, our mask and condition latents are the pipeline's, bit for bit."""
    image = to_model_video(source_video)[:, :, 0]
    noise = torch.zeros(1, 16, (FRAMES - 1) // 4 + 1, HEIGHT // 8, WIDTH // 8)
    _, theirs = pipeline.prepare_latents(
        image, 1, 16, HEIGHT, WIDTH, FRAMES, torch.float32, torch.device("cpu"), None, noise
    )
    ours = _first_frame_conditioning(tiny_wan, source_video)
    assert torch.equal(torch.cat([ours["packed_mask"], ours["condition_latents"]], dim=1), theirs)


def test_text_and_image_embeddings_equal_the_pipelines(
    tiny_wan: VideoModel, pipeline: WanImageToVideoPipeline, source_video: np.ndarray
) -> None:
    """Prompt and image context are the pipeline's, bit for bit."""
    ours = _first_frame_conditioning(tiny_wan, source_video)
    with torch.no_grad():  # as inside the pipeline's own call
        length = pipeline.tokenizer.model_max_length  # the tiny model knows shorter prompts than Wan2.1's 512 tokens
        prompt_embeds, _ = pipeline.encode_prompt(PROMPT, do_classifier_free_guidance=False, max_sequence_length=length)
    assert torch.equal(ours["prompt_embeds"], prompt_embeds)
    assert torch.equal(ours["image_embeds"], pipeline.encode_image(Image.fromarray(source_video[0])))


@pytest.mark.parametrize("guidance", [1.0, 5.0])
def test_generated_video_equals_the_pipelines(
    tiny_wan: VideoModel, pipeline: WanImageToVideoPipeline, source_video: np.ndarray, guidance: float
) -> None:
    """Without a LoRA, same seed, scheduler and guidance: the same video to 1e-3."""
    num_steps, seed = 6, 11
    pipeline.scheduler = FlowMatchEulerDiscreteScheduler(shift=5.0)
    theirs = pipeline(
        image=Image.fromarray(source_video[0]),
        prompt=PROMPT,
        negative_prompt=NEGATIVE,
        max_sequence_length=pipeline.tokenizer.model_max_length,
        height=HEIGHT,
        width=WIDTH,
        num_frames=FRAMES,
        num_inference_steps=num_steps,
        guidance_scale=guidance,
        generator=torch.Generator("cpu").manual_seed(seed),
        output_type="pt",
    ).frames
    conditioning = _first_frame_conditioning(tiny_wan, source_video)
    noise = draw_noise(conditioning["condition_latents"].shape, seed, torch.device("cpu"))
    negative = tiny_wan.encode_prompt(NEGATIVE)
    latents = denoise(
        tiny_wan, noise, pipeline.scheduler.sigmas, conditioning, negative, guidance, on_step=lambda _: None
    )
    ours = tiny_wan.decode_latents(latents).clamp(-1, 1) / 2 + 0.5
    difference = (ours[0].permute(1, 0, 2, 3) - theirs[0]).abs().max()
    assert difference < 1e-3
    assert theirs.std() > 0.01  # two grey videos would agree as well
