"""From an edit's encoded inputs and a LoRA to the edited video."""

from pathlib import Path

from lib.encoding import load_encoded
from lib.flow_matching import sigma_schedule
from lib.lora import load_lora
from lib.models.base import VideoModel
from lib.sampling import denoise, draw_noise
from lib.stage_log import Progress
from lib.video_io import DecodedVideo, to_decoded_video


def generate_video(
    model: VideoModel,
    encoded_path: Path,
    lora_path: Path | None,
    num_steps: int,
    guidance: float,
    shift: float,
    seed: int,
) -> DecodedVideo:
    """Generate the edited video (frames, height, width, 3) uint8 RGB.

    Args:
        model: with its VAE and transformer loaded.
        encoded_path: what `lib.encoding.encode_edit` made.
        lora_path: the LoRA to generate with; None: the pre-trained model alone.
        num_steps, shift: see `lib.flow_matching.sigma_schedule`.
        guidance: classifier-free guidance scale; 1: off.
        seed: of the initial noise.
    """
    if lora_path is not None:
        load_lora(model.transformer, lora_path)
    device = next(model.transformer.parameters()).device
    encoded = load_encoded(encoded_path, device)
    noise = draw_noise(encoded["generation"]["condition_latents"].shape, seed, device)
    progress = Progress("denoising step", num_steps)
    latents = denoise(
        model,
        noise,
        sigma_schedule(num_steps, shift),
        encoded["generation"],
        encoded["negative"],
        guidance,
        progress.show,
    )
    return to_decoded_video(model.decode_latents(latents))
