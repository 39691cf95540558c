"""Wan2.1 VACE: a model that was trained to fill what a mask leaves out of a video.

Z. Jiang et al., "VACE: All-in-One Video Creation and Editing" (ICCV 2025), by diffusers' WanVACEPipeline as it is. It
is given what our methods are given: the source outside the mask, the edited first frame, and the edit's prompt.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanVACEPipeline, WanVACETransformer3DModel
from numpy.typing import NDArray
from PIL import Image
from transformers import AutoTokenizer, UMT5EncoderModel

from lib.config.rival_sections import VaceSection
from lib.config.sections import MemoryMode
from lib.execution.pipelines import place_pipeline
from lib.video.arrays import DecodedVideo, Mask, Picture
from lib.video.windows import Windows

GREY = 128  # what stands for a part that is missing
WORK_BYTES = 12 * 2**30  # beside the weights: latents, attention and the VAE, at 49 frames of 832x480


@dataclass(frozen=True)
class Edit:
    """What VACE edits.

    Attributes:
        source: (frames, height, width, 3) uint8 RGB, frames % 4 == 1, sides that 16 divides.
        first_frame: the edited one, (height, width, 3).
        mask: (frames, height, width), True = edit.
        prompt, negative_prompt: what the edited video shows, and what not.
    """

    source: DecodedVideo
    first_frame: Picture
    mask: Mask
    prompt: str
    negative_prompt: str


def load_vace(name: str, device: torch.device, dtype: torch.dtype, memory: MemoryMode, download: bool) -> Any:
    """Load a folder or hub id in diffusers' layout; safetensors only, never remote code.

    Args:
        name: of the folder.
        device: that computes.
        dtype: of transformer and text encoder; the VAE is in float32.
        memory: low: layers come to the GPU one by one; auto: components do, where not all fits; else all is there.
        download: allow the hub.

    Returns:
        A WanVACEPipeline.
    """
    local = not download

    def component(kind: Any, folder: str, of: torch.dtype) -> Any:
        return kind.from_pretrained(name, subfolder=folder, use_safetensors=True, local_files_only=local, dtype=of)

    scheduler = UniPCMultistepScheduler.load_config(name, subfolder="scheduler", local_files_only=local)
    pipeline = WanVACEPipeline(
        tokenizer=AutoTokenizer.from_pretrained(name, subfolder="tokenizer", local_files_only=local),
        text_encoder=component(UMT5EncoderModel, "text_encoder", dtype),
        vae=component(AutoencoderKLWan, "vae", torch.float32),
        scheduler=UniPCMultistepScheduler.from_config(scheduler),
        transformer=component(WanVACETransformer3DModel, "transformer", dtype),
    )
    pipeline.set_progress_bar_config(disable=True)
    place_pipeline(pipeline, device, memory, WORK_BYTES)
    return pipeline


def edit_with_vace(
    pipeline: Any,
    edit: Edit,
    windows: Windows,
    settings: VaceSection,
    seed: int,
    show: Callable[[int], None],
) -> DecodedVideo:
    """Edit a clip, window by window: a later one is given the last frames of the one before.

    Args:
        pipeline: of `load_vace`.
        edit: what is edited.
        windows: of `lib.video.windows.plan_windows`.
        settings: how.
        seed: of the noise; each later window takes the next one.
        show: is told each denoising step, counted over all windows.

    Returns:
        The edited video, of the source's shape.
    """
    pipeline.scheduler = UniPCMultistepScheduler.from_config(pipeline.scheduler.config, flow_shift=settings.shift)
    made = edit.first_frame[np.newaxis]
    for number, (start, stop) in enumerate(windows):
        given = made[start:]
        video, mask = prepare(edit.source[start:stop], edit.mask[start:stop], given, settings)
        shown = settings.first_frame in ("reference", "both")
        _, height, width, _ = video.shape

        def at_end(_: Any, step: int, __: Any, values: dict[str, Any], done: int = number) -> dict[str, Any]:
            show(done * settings.num_steps + step + 1)
            return values

        frames = pipeline(
            prompt=edit.prompt,
            negative_prompt=edit.negative_prompt,
            video=[Image.fromarray(frame) for frame in video],
            mask=[Image.fromarray(plane) for plane in mask],
            reference_images=[Image.fromarray(edit.first_frame)] if shown else None,
            conditioning_scale=settings.conditioning_scale,
            height=height,
            width=width,
            num_frames=len(video),
            num_inference_steps=settings.num_steps,
            guidance_scale=settings.guidance,
            generator=torch.Generator("cpu").manual_seed(seed + number),
            output_type="np",
            callback_on_step_end=at_end,
        ).frames[0]
        decoded = (frames * 255).round().clip(0, 255).astype(np.uint8)
        made = decoded if number == 0 else np.concatenate([made, decoded[len(given) :]])
    return made


def prepare(
    source: DecodedVideo, mask: Mask, given: DecodedVideo, settings: VaceSection
) -> tuple[DecodedVideo, NDArray[np.uint8]]:
    """Make what VACE is shown of a window: the source with grey where it is to be filled, and white there in the mask.

    Args:
        source: (frames, height, width, 3). mask: (frames, height, width), True = edit.
        given: frames that are made already, the edited first frame or the last ones of the window before.
        settings: `first_frame` says whether they stand in the video.

    Returns:
        The video, and the mask as (frames, height, width) uint8, 255 = fill.
    """
    fill = mask.copy()
    video = np.where(fill[..., None], np.uint8(GREY), source)
    if settings.first_frame in ("frame", "both") or len(given) > 1:
        video[: len(given)], fill[: len(given)] = given, False
    return video, np.where(fill, np.uint8(255), np.uint8(0))
