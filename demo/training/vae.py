"""Train the demo's video autoencoder: `python -m demo.training.vae --output FOLDER --seconds 520` on one GPU.

`torchrun --nproc-per-node 4 -m demo.training.vae ...` shares the work between four. Two phases: short crops, then
whole clips. Each phase's step is captured as CUDA graphs. Run again with the same --work to go on after an
interruption.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan

from demo.training.muon import BatchedMuon
from demo.training.steps import (
    average_over_processes,
    capture_shared_step,
    clip_gradients,
    join_processes,
    load_checkpoint,
    make_adamw,
    prepare_gpu,
    save_checkpoint,
    set_learning_rate,
)
from demo.training.whole_clip_vae import decode_whole, encode_whole
from demo.world.random_scenes import filmed_numbers, pack_numbered
from demo.world.rendering import render_packed

PEAK_LEARNING_RATE = 1.5e-3
BASE_DIM = 16  # channels at full size
GRADIENT_CLIP = 1.0
KL_WEIGHT = 1e-6
LATENT_NOISE = 0.5  # most noise added to latents in training, in standard deviations of their channel
HALF_SIZE_WEIGHT = 0.25  # of decoding latents shrunk to half their size; see `reconstruction_loss`
NUM_FRAMES = 17
CHECKPOINT_SECONDS = 60


@dataclass(frozen=True)
class Phase:
    """A part of the training.

    Attributes:
        end: when it ends, as a share of the whole time.
        batch: samples a step.
        frames, height, width: of a sample, cropped at random from clips of 17 frames 160 x 96.
    """

    end: float
    batch: int
    frames: int
    height: int
    width: int


PHASES = (
    Phase(end=0.6, batch=8, frames=9, height=64, width=64),
    Phase(end=1.0, batch=3, frames=17, height=96, width=160),
)


def make_vae(base_dim: int = BASE_DIM) -> AutoencoderKLWan:
    """Build the autoencoder with Wan2.1's strides (4 in time, 8 in space), 2.6 million parameters at 16 channels."""
    torch.manual_seed(0)
    return AutoencoderKLWan(
        base_dim=base_dim,
        z_dim=16,
        dim_mult=[1, 2, 4, 4],
        num_res_blocks=1,
        attn_scales=[],
        temperal_downsample=[False, True, True],
    )


def use_channels_last(vae: AutoencoderKLWan) -> None:
    """Store the convolutions' weights, and so their results, with the channels innermost."""
    for module in vae.modules():
        if isinstance(module, torch.nn.Conv3d):
            module.weight.data = module.weight.data.to(memory_format=torch.channels_last_3d)
        elif isinstance(module, torch.nn.Conv2d):
            module.weight.data = module.weight.data.to(memory_format=torch.channels_last)


def reconstruction_loss(
    vae: AutoencoderKLWan, video: torch.Tensor, is_bfloat16: bool, latent_noise: float = LATENT_NOISE
) -> torch.Tensor:
    """Return the loss of a model video (batch, 3, frames, height, width), both sizes multiples of 16.

    Two terms make latents that a small diffusion model can learn: the decoder must bear noise on them, so that what a
    model leaves undone does not show; and latents shrunk to half their size must decode to the video at half its size
    (Skorokhodov et al. 2025, "Improving the Diffusability of Autoencoders"), so that they hold no detail that the
    pixels lack.
    """
    with torch.autocast(video.device.type, torch.bfloat16, enabled=is_bfloat16, cache_enabled=False):
        mean, log_variance = encode_whole(vae, video).float().chunk(2, dim=1)
        log_variance = log_variance.clamp(-20, 2)
        spread = mean.detach().std(dim=(0, 2, 3, 4), keepdim=True)
        share = latent_noise * torch.rand(len(video), 1, 1, 1, 1, device=video.device)
        deviation = ((0.5 * log_variance).exp() ** 2 + (share * spread) ** 2) ** 0.5
        decoded = decode_whole(vae, mean + deviation * torch.randn_like(mean)).float()
        half_decoded = decode_whole(vae, halve_size(mean)).float()
    kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).mean()
    half_loss = picture_loss(half_decoded - halve_size(video))
    return picture_loss(decoded - video) + HALF_SIZE_WEIGHT * half_loss + KL_WEIGHT * kl


def picture_loss(error: torch.Tensor) -> torch.Tensor:
    """Return L1 + 0.5 L1 of the spatial gradients + mean square of an error (batch, 3, frames, height, width)."""
    gradient_error = error.diff(dim=3).abs().mean() + error.diff(dim=4).abs().mean()
    return error.abs().mean() + 0.5 * gradient_error + (error**2).mean()


def halve_size(video: torch.Tensor) -> torch.Tensor:
    """Average squares of 2 x 2 pixels or cells of (batch, channels, frames, height, width)."""
    return F.avg_pool3d(video, (1, 2, 2))


def random_crops(pool: torch.Tensor, phase: Phase, generator: torch.Generator) -> torch.Tensor:
    """Cut a batch at random positions out of a pool (clips, 3, frames, height, width) uint8; range [-1, 1]."""
    clips, channels, frames, height, width = pool.shape

    def draw(highest: int) -> list[int]:
        return torch.randint(highest, (phase.batch,), generator=generator).tolist()

    starts = zip(
        draw(clips),
        draw(frames - phase.frames + 1),
        draw(height - phase.height + 1),
        draw(width - phase.width + 1),
        strict=True,
    )
    crops = [pool[clip, :, t : t + phase.frames, y : y + phase.height, x : x + phase.width] for clip, t, y, x in starts]
    return torch.stack(crops).float() / 127.5 - 1


def make_optimizers(vae: AutoencoderKLWan) -> tuple[torch.optim.Optimizer, ...]:
    """Make Muon for the kernels between features, and AdamW for everything else."""
    ends = ("encoder.conv_in.", "decoder.conv_out.")  # from pixels and to pixels
    is_kernel = {
        name: weight.ndim > 1 and not name.startswith(ends) and "norm" not in name
        for name, weight in vae.named_parameters()
    }
    kernels, others = (
        [weight for name, weight in vae.named_parameters() if is_kernel[name] == wanted] for wanted in (True, False)
    )
    return BatchedMuon(kernels, weight_decay=0.0), make_adamw(others, weight_decay=0.0)


def train(
    vae: AutoencoderKLWan,
    pool: torch.Tensor,
    seconds: float,
    checkpoint_path: Path,
    is_bfloat16: bool,
    peak_rate: float = PEAK_LEARNING_RATE,
    latent_noise: float = LATENT_NOISE,
    process: int = 0,
) -> Iterator[str]:
    """Train in place; yields lines for the log.

    Args:
        vae: on the pool's device.
        pool: (clips, 3, frames, height, width) uint8, others in each process.
        seconds: of training in all, those before an interruption included.
        checkpoint_path: of the state after an interruption.
        is_bfloat16: compute in bfloat16 over float32 weights.
        peak_rate: highest learning rate.
        latent_noise: most noise that latents must bear, in standard deviations of their channel.
        process: this process's number; the first one writes checkpoints.
    """
    parameters = list(vae.parameters())
    optimizers = make_optimizers(vae)
    checkpoint = load_checkpoint(checkpoint_path, str(pool.device))
    if checkpoint:
        vae.load_state_dict(checkpoint["vae"])
        for optimizer, state in zip(optimizers, checkpoint["optimizers"], strict=True):
            optimizer.load_state_dict(state)
    spent = checkpoint.get("seconds", 0.0)
    generator = torch.Generator().manual_seed(int(spent) * 1000 + process)
    torch.manual_seed(int(spent) * 1000 + process)
    started, saved, num_steps = perf_counter() - spent, spent, 0

    def update() -> None:
        clip_gradients(parameters, GRADIENT_CLIP)
        for optimizer in optimizers:
            optimizer.step()

    def follow_rate() -> None:
        for optimizer in optimizers:
            set_learning_rate(optimizer, spent / seconds, peak_rate)

    for phase in PHASES:
        if spent >= phase.end * seconds:
            continue
        video = random_crops(pool, phase, generator)

        def loss_of(video: torch.Tensor = video) -> torch.Tensor:
            return reconstruction_loss(vae, video, is_bfloat16, latent_noise)

        follow_rate()
        replay = capture_shared_step(loss_of, update, parameters)
        while spent < phase.end * seconds:
            follow_rate()
            video.copy_(random_crops(pool, phase, generator))
            loss = replay()
            num_steps += 1
            if num_steps % 100 == 0 or not video.is_cuda:
                value = loss.item()  # waits for the GPU, so that the clock below is right
                clock = torch.tensor(perf_counter() - started, device=video.device)
                average_over_processes([clock])  # all go by one clock, so that they stop together
                spent = clock.item()
                if num_steps % 1000 == 0 or not video.is_cuda:
                    yield f"{spent:6.1f} s  step {num_steps:6d}  {phase.frames:2d} frames  loss {value:.4f}"
            if spent - saved > CHECKPOINT_SECONDS and process == 0:
                states = [optimizer.state_dict() for optimizer in optimizers]
                save_checkpoint(checkpoint_path, {"vae": vae.state_dict(), "optimizers": states, "seconds": spent})
                saved = spent
        del replay


@torch.no_grad()
def measure_latents(vae: AutoencoderKLWan, pool: torch.Tensor, num_clips: int = 128) -> tuple[list[float], list[float]]:
    """Measure the mean and the standard deviation of each latent channel over clips of the pool."""
    means = [encode_whole(vae, clip[None].float() / 127.5 - 1).chunk(2, dim=1)[0] for clip in pool[:num_clips]]
    channels = torch.cat(means).transpose(0, 1).flatten(1)  # (channels, values)
    return [round(v, 4) for v in channels.mean(1).tolist()], [round(v, 4) for v in channels.std(1).tolist()]


@torch.no_grad()
def measure_psnr(vae: AutoencoderKLWan, pool: torch.Tensor) -> list[float]:
    """Measure the reconstruction of each whole clip with the library's own passes, in dB of the 8-bit picture."""
    ratios = []
    for clip in pool:
        video = clip[None].float() / 127.5 - 1
        decoded = vae.decode(vae.encode(video).latent_dist.mode()).sample
        error = ((decoded + 1) * 127.5).round().clamp(0, 255) - clip
        ratios.append(float(10 * torch.log10(255**2 / (error**2).mean())))
    return ratios


def main() -> None:
    """Render the pool, train, save the half-precision weights, then measure held-out clips."""
    parser = argparse.ArgumentParser(description="Train the demo's video autoencoder.")
    parser.add_argument("--output", type=Path, required=True, help="folder to write, in diffusers layout")
    parser.add_argument("--start-from", type=Path, help="finished autoencoder to go on from, with a fresh optimizer")
    parser.add_argument("--seconds", type=float, default=520, help="of training")
    parser.add_argument("--clips", type=int, default=12000, help="clips to train on, in each process")
    parser.add_argument("--base-dim", type=int, default=BASE_DIM, help="channels at full size")
    parser.add_argument("--rate", type=float, default=PEAK_LEARNING_RATE, help="highest learning rate")
    parser.add_argument("--latent-noise", type=float, default=LATENT_NOISE, help="most noise that latents must bear")
    parser.add_argument("--held-out", type=int, default=64, help="clips to measure")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw scenes")
    parser.add_argument("--work", type=Path, default=Path(".cache/training/vae"), help="checkpoint's folder")
    parser.add_argument("--float32", action="store_true", help="compute in float32 (TF32), not bfloat16")
    parser.add_argument("--channels-last", action="store_true", help="keep a pixel's channels together in memory")
    arguments = parser.parse_args()
    process, _ = join_processes()
    numbers = range(process * arguments.clips, (process + 1) * arguments.clips)
    _, packed = pack_numbered("train", numbers, num_workers=arguments.workers)
    measured = {
        "landscape, 17 frames": (pack_numbered("held_out", range(arguments.held_out))[1], 17),
        "portrait, 29 frames": (pack_numbered("held_out", range(arguments.held_out // 4), is_portrait=True)[1], 29),
        "filmed, 17 frames": (pack_numbered("held_out", filmed_numbers(arguments.held_out))[1], 17),
    }
    device = prepare_gpu()
    pool = render_packed(packed, NUM_FRAMES, device)
    print(f"{len(pool)} clips rendered", flush=True)
    vae = make_vae(arguments.base_dim)
    if arguments.start_from is not None:
        vae = AutoencoderKLWan.from_pretrained(arguments.start_from, dtype=torch.float32)
    vae.to(device)
    if arguments.channels_last:
        use_channels_last(vae)
    lines = train(
        vae,
        pool,
        arguments.seconds,
        arguments.work / "checkpoint.pt",
        not arguments.float32,
        arguments.rate,
        arguments.latent_noise,
        process,
    )
    for line in lines:
        if process == 0:
            print(line, flush=True)
    if process:
        return
    latents_mean, latents_std = measure_latents(vae, pool)
    vae.register_to_config(latents_mean=latents_mean, latents_std=latents_std)
    vae.eval().half().save_pretrained(arguments.output)
    vae = AutoencoderKLWan.from_pretrained(arguments.output, dtype=torch.float32).to(device).eval()
    figures = {}
    for name, (rows, num_frames) in measured.items():
        ratios = torch.tensor(measure_psnr(vae, render_packed(rows, num_frames, device)))
        figures[name] = {"mean dB": round(ratios.mean().item(), 2), "lowest dB": round(ratios.min().item(), 2)}
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
