"""Our conditioning and our sampler, held against diffusers' own pipeline on one tiny checkpoint."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import ClassifierFreeGuidance, FlowMatchEulerDiscreteScheduler, HunyuanVideo15ImageToVideoPipeline
from PIL import Image

from lib.core.errors import InputError
from lib.diffusion.conditioning import make_keep_mask
from lib.diffusion.denoising import denoise, draw_noise
from lib.models.base import Conditioning, VideoModel
from lib.models.load import COMPONENTS, load_model
from lib.video.arrays import to_model_video
from tests.lib.models.hunyuan_video_15.checkpoint import checkpoint, transformer
from tests.lib.video.example_videos import smooth_video

FRAMES, HEIGHT, WIDTH = 9, 48, 80  # a size that the pipeline keeps: it has its own for each aspect
PROMPT, NEGATIVE = 'a red star moving to the right of a sign, "OPEN"', "blurred"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint."""
    return checkpoint(tmp_path_factory.mktemp("hunyuan"))


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> HunyuanVideo15ImageToVideoPipeline:
    """The plain pipeline, float32."""
    return HunyuanVideo15ImageToVideoPipeline.from_pretrained(folder, dtype=torch.float32, local_files_only=True)


@pytest.fixture(scope="module")
def model(folder: Path) -> VideoModel:
    """Ours."""
    return load_model(folder, COMPONENTS, family="hunyuan_video_15", device=CPU, dtype=torch.float32)


@pytest.fixture(scope="module")
def source_video() -> np.ndarray:
    """Smooth moving colours (frames, height, width, 3) uint8."""
    return smooth_video(FRAMES, HEIGHT, WIDTH)


def first_frame_conditioning(model: VideoModel, source_video: np.ndarray) -> Conditioning:
    """Show the first frame alone, as the pipeline does."""
    video = to_model_video(source_video)
    keep_mask = make_keep_mask("first_frame", np.zeros(source_video.shape[:3], bool), model.frame_stride)
    return model.encode_conditioning(PROMPT, video, keep_mask, video[:, :, :1])


def test_condition_latents_and_mask_equal_the_pipelines(
    model: VideoModel, pipeline: HunyuanVideo15ImageToVideoPipeline, source_video: np.ndarray
) -> None:
    """With the first-frame mask what is shown is the pipeline's, bit for bit."""
    noise = draw_noise((1, 32, 3, HEIGHT // 16, WIDTH // 16), 5, CPU)
    with torch.no_grad():  # as inside the pipeline's own call
        latents, mask = pipeline.prepare_cond_latents_and_mask(
            noise, Image.fromarray(source_video[0]), 1, HEIGHT, WIDTH, torch.float32, CPU
        )
    ours = first_frame_conditioning(model, source_video)
    assert torch.equal(ours["given_latents"], latents) and torch.equal(ours["given_cells"], mask)
    assert latents.abs().sum() > 0 and torch.equal(model.start_latents(noise, ours), noise)


def test_texts_and_picture_equal_the_pipelines(
    model: VideoModel, pipeline: HunyuanVideo15ImageToVideoPipeline, source_video: np.ndarray
) -> None:
    """The language model's states, ByT5's of what is quoted and the picture's are the pipeline's, but for padding."""
    ours = first_frame_conditioning(model, source_video)
    with torch.no_grad():  # as inside the pipeline's own call
        text, text_mask, glyphs, glyphs_mask = pipeline.encode_prompt(PROMPT, CPU)
        picture = pipeline.encode_image(Image.fromarray(source_video[0]), 1, CPU, torch.float32)
    assert torch.equal(ours["qwen_states"], text[:, : int(text_mask.sum())])
    assert torch.equal(ours["byt5_states"], glyphs[:, : int(glyphs_mask.sum())])
    assert ours["qwen_states"].shape[1] > 10 and ours["byt5_states"].shape[1] > 5
    assert torch.equal(ours["siglip_states"], picture)
    assert model.encode_prompt(NEGATIVE)["byt5_states"].shape[1] == 0


@pytest.mark.parametrize("guidance", [1.0, 5.0])
def test_generated_video_equals_the_pipelines(
    model: VideoModel, pipeline: HunyuanVideo15ImageToVideoPipeline, source_video: np.ndarray, guidance: float
) -> None:
    """Without a LoRA, same seed, scheduler and guidance: the same video to 1e-3."""
    ours = generate(model, source_video, guidance, seed=11)
    theirs = plain_video(pipeline, source_video, guidance, seed=11)
    assert len(ours) == len(theirs) == FRAMES
    assert (ours - theirs).abs().max() < 1e-3
    assert theirs.std() > 0.01  # two grey videos would agree as well
    assert (generate(model, source_video, 3.0, seed=11) - ours).abs().max() > 2e-3


def plain_video(
    pipeline: HunyuanVideo15ImageToVideoPipeline, source_video: np.ndarray, guidance: float, seed: int
) -> torch.Tensor:
    """Generate with the pipeline: (frames, 3, height, width) of 0 to 1."""
    pipeline.scheduler = FlowMatchEulerDiscreteScheduler(shift=5.0)
    pipeline.guider = ClassifierFreeGuidance(guidance_scale=guidance)
    video: torch.Tensor = pipeline(
        image=Image.fromarray(source_video[0]),
        prompt=PROMPT,
        negative_prompt=NEGATIVE,
        num_frames=FRAMES,
        num_inference_steps=6,
        generator=torch.Generator("cpu").manual_seed(seed),
        output_type="pt",
    ).frames[0]
    return video


def generate(model: VideoModel, source_video: np.ndarray, guidance: float, seed: int) -> torch.Tensor:
    """Generate the same with ours."""
    scheduler = FlowMatchEulerDiscreteScheduler(shift=5.0)
    scheduler.set_timesteps(sigmas=np.linspace(1, 0, 7)[:-1])
    conditioning, negative = first_frame_conditioning(model, source_video), model.encode_prompt(NEGATIVE)
    noise = draw_noise(model.latents_shape(*source_video.shape[:3]), seed, CPU)
    left = model.begin_sampling(0.0, guidance)
    latents = denoise(model, noise, scheduler.sigmas, conditioning, negative, left, on_step=lambda _: None)
    return (model.decode_latents(latents).clamp(-1, 1) / 2 + 0.5)[0].permute(1, 0, 2, 3)


@pytest.mark.parametrize(("setting", "value"), [("task_type", "t2v"), ("use_meanflow", True)])
def test_relatives_are_refused(tmp_path: Path, setting: str, value: object) -> None:
    """A text-to-video transformer, and one that is told where a step ends, are named for what they are."""
    own = transformer()
    own.register_to_config(**{setting: value})
    own.save_config(tmp_path / "transformer")
    with pytest.raises(InputError, match=f"whose transformer has {setting} {value}"):
        load_model(tmp_path, {"vae"}, family="hunyuan_video_15", device=CPU, dtype=torch.float32)
