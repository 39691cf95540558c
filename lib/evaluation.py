"""An edited video's metrics beside two control rows, which say what the figures can reach."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoProcessor, CLIPModel

from lib.metrics import embed_frames, evaluate_video, measure_motion
from lib.models.base import VideoModel
from lib.video_io import DecodedVideo, to_decoded_video, to_model_video

FRAMES_AT_ONCE = 16


def evaluate_rows(
    model: VideoModel,
    edited: DecodedVideo,
    source: DecodedVideo,
    edited_first_frame: NDArray[np.uint8],
    edit_mask: NDArray[np.bool_],
    background_dilation: int,
    clip_name: str,
    device: torch.device,
    download: bool,
) -> dict[str, Any]:
    """Measure the edited video, the VAE round trip of the source, and the source as if it were the output.

    The round trip is the ceiling of any method that does not paste the background back; the unedited copy is
    perfect in background and input similarity, which shows what those figures cannot tell.

    Args:
        model: with its VAE loaded.
        edited, source: (frames, height, width, 3) uint8 RGB.
        edited_first_frame: (height, width, 3) uint8 RGB.
        edit_mask: (frames, height, width), True = edit.
        background_dilation: pixels by which the mask is grown before the background is measured.
        clip_name: local folder or hub id of the CLIP model.
        device: where CLIP runs.
        download: allow the hub; otherwise local files only.

    Returns:
        `lib.metrics.evaluate_video` of each row, by name: edited, vae_round_trip, source_copy.
    """
    local = not download
    clip = CLIPModel.from_pretrained(clip_name, use_safetensors=True, local_files_only=local).eval().to(device)
    processor = AutoProcessor.from_pretrained(clip_name, local_files_only=local).image_processor
    rows = {
        "edited": edited,
        "vae_round_trip": to_decoded_video(model.decode_latents(model.encode_video(to_model_video(source)))),
        "source_copy": source,
    }
    first_frame = edited_first_frame[np.newaxis]
    embeddings = {
        name: embed_frames(video, clip, processor, str(device), FRAMES_AT_ONCE)
        for name, video in {**rows, "first_frame": first_frame}.items()
    }
    source_motion = measure_motion(source)
    return {
        name: evaluate_video(
            video,
            source,
            edit_mask,
            output_embeddings=embeddings[name],
            source_embeddings=embeddings["source_copy"],
            edited_embedding=embeddings["first_frame"],
            background_dilation=background_dilation,
            source_motion=source_motion,
        )
        for name, video in rows.items()
    }
