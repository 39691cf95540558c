"""What a model makes of a clip, and what diffusers' plain pipeline makes of its first frame."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, WanImageToVideoPipeline
from PIL import Image

from lib.diffusion.conditioning import make_keep_mask, put_first
from lib.diffusion.denoising import denoise, draw_noise
from lib.diffusion.encoding import encode_edit, encode_source, load_samples, save_encoded
from lib.execution.convolutions import speed_up_convolutions
from lib.models.base import Conditioning, Sample, VideoModel
from lib.training.fine_tuning import Adapter, train_lora
from lib.training.loop import Objective, Optimizer
from lib.training.schedule import make_schedule
from lib.video.arrays import to_model_video
from tests.lib.video.example_videos import smooth_video

FRAMES, HEIGHT, WIDTH = 9, 64, 96
PROMPT, NEGATIVE = "a red star moving to the right", "blurred"
SEED = 11
SOURCE = smooth_video(FRAMES, HEIGHT, WIDTH)
REGION = np.zeros(SOURCE.shape[:3], bool)
REGION[:, :, 32:64] = True  # whole tokens of every family
ADAPTER = Adapter(4, 4.0, ("self_attention", "cross_attention", "feed_forward"))
OPTIMIZER = Optimizer(learning_rate=0.01, decay_share=0.0, beta1=0.9, beta2=0.99, weight_decay=0.01, gradient_clip=1.0)


def plain_pipeline(folder: Path, shift: float = 5.0) -> WanImageToVideoPipeline:
    """Load the plain pipeline in float32, its convolutions run in the library that ours run in."""
    pipeline = WanImageToVideoPipeline.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    speed_up_convolutions(pipeline.vae)
    pipeline.scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def condition(model: VideoModel, mask_kind: str, source: np.ndarray = SOURCE) -> Conditioning:
    """Encode a clip with its own first frame."""
    video, keep_mask = to_model_video(source), make_keep_mask(mask_kind, REGION, model.frame_stride)
    return model.encode_conditioning(PROMPT, put_first(video[:, :, :1], video), keep_mask, video[:, :, :1])


def theirs(pipeline: WanImageToVideoPipeline, num_steps: int, guidance: float) -> torch.Tensor:
    """Generate with the plain pipeline: (frames, 3, height, width) in [0, 1]."""
    made: torch.Tensor = pipeline(
        image=Image.fromarray(SOURCE[0]),
        prompt=PROMPT,
        negative_prompt=NEGATIVE,
        max_sequence_length=pipeline.tokenizer.model_max_length,
        height=HEIGHT,
        width=WIDTH,
        num_frames=FRAMES,
        num_inference_steps=num_steps,
        guidance_scale=guidance,
        generator=torch.Generator("cpu").manual_seed(SEED),
        output_type="pt",
    ).frames[0]
    return made


def sample(model: VideoModel, sigmas: torch.Tensor, guidance: float, mask_kind: str = "first_frame") -> torch.Tensor:
    """Denoise to latents."""
    shape = model.latents_shape(FRAMES, HEIGHT, WIDTH)
    noise, negative = draw_noise(shape, SEED, torch.device("cpu")), model.encode_prompt(NEGATIVE)
    return denoise(model, noise, sigmas, condition(model, mask_kind), negative, guidance, on_step=lambda _: None)


def ours(model: VideoModel, sigmas: torch.Tensor, guidance: float, mask_kind: str = "first_frame") -> torch.Tensor:
    """Generate with our loop: (frames, 3, height, width) in [0, 1]."""
    latents = sample(model, sigmas, guidance, mask_kind)
    return (model.decode_latents(latents).clamp(-1, 1) / 2 + 0.5)[0].permute(1, 0, 2, 3)


def samples_of_stages(
    model: VideoModel, folder: Path, kind: str = "still"
) -> tuple[list[Sample], tuple[int, int, int]]:
    """Encode stage 1's sample and one of stage 2."""
    edited = SOURCE[0] // 2
    references = {6: np.where(REGION[6][..., None], 255 - SOURCE[6], SOURCE[6])}
    save_encoded(encode_source(model, SOURCE, REGION, PROMPT, "edit"), folder / "source.safetensors")
    given = (SOURCE, edited, references, REGION, PROMPT, NEGATIVE, "edit")
    save_encoded(encode_edit(model, *given, reference_sample=kind), folder / "edit.safetensors")
    samples = load_samples(folder / "source.safetensors", folder / "edit.safetensors", torch.device("cpu"))
    return samples.in_order, samples.counts


def train(
    model: VideoModel, samples: list[Sample], counts: tuple[int, int, int], lora: Path, steps: int, **options: Any
) -> Path:
    """Train a LoRA, stage 1 where there is nothing to start from, else stage 2; return its file."""
    start_from = options.pop("start_from", None)
    train_lora(
        model,
        samples,
        make_schedule(steps, counts, 0.0, 0.5 if start_from else 0.0, 1),
        ADAPTER,
        options.pop("optimizer", OPTIMIZER),
        options.pop("objective", Objective(sigma_shift=1.0, region_weight=1.0)),
        seed=7,
        start_from=start_from,
        lora_path=lora,
        curve_path=lora.with_suffix(".jsonl"),
        training="a fingerprint",
        **options,
    )
    return lora
