"""Pre-train the demo's image-to-video transformer on one GPU, as an ordinary first-frame model.

`python -m demo.training.transformer --wan FOLDER --output FOLDER --seconds 420`, where --wan holds the trained VAE
and the text and image encoders. It never sees a spatial mask: that is left for a clip's LoRA to teach. Run again
with the same --work to go on after an interruption.
"""

import argparse
import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from time import perf_counter

import torch
import torch.nn.functional as F
from diffusers import WanTransformer3DModel

from demo.training.clip_pool import ClipPool, encode_pool, encode_prompts
from demo.training.steps import (
    clip_gradients,
    load_checkpoint,
    make_adamw,
    prepare_gpu,
    save_checkpoint,
    set_learning_rate,
)
from demo.world import pack_numbered
from lib.flow_matching import add_noise, target_velocity
from lib.models.wan import MAX_PROMPT_TOKENS, NUM_TIMESTEPS

PEAK_LEARNING_RATE = 6e-4
GRADIENT_CLIP = 1.0
EMA_DECAY = 0.999
EMPTY_PROMPT_SHARE = 0.1  # of the samples, for guidance
SIGMA_SHIFT = 3.0  # of the sigmas drawn, towards noise; see lib.flow_matching.sigma_schedule
PORTRAIT_EVERY = 4  # every fourth step is on portrait clips
NUM_FRAMES = 17
CHECKPOINT_SECONDS = 90


def make_transformer(text_dim: int = 64, image_dim: int = 64) -> WanTransformer3DModel:
    """Build a transformer with Wan2.1-I2V's structure, 10.3 million parameters."""
    torch.manual_seed(0)
    return WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=4,
        attention_head_dim=64,
        in_channels=36,
        out_channels=16,
        text_dim=text_dim,
        freq_dim=256,
        ffn_dim=1024,
        num_layers=8,
        cross_attn_norm=True,
        qk_norm="rms_norm_across_heads",
        image_dim=image_dim,
        added_kv_proj_dim=256,
    )


def flow_matching_loss(
    transformer: WanTransformer3DModel, pool: ClipPool, empty_prompt: torch.Tensor, batch: int
) -> torch.Tensor:
    """Return the mean squared velocity error of random clips at random sigmas.

    Args:
        transformer: in float32; runs in bfloat16 on a GPU.
        pool: what to draw from.
        empty_prompt: (1, tokens, text width), what guidance compares with.
        batch: clips.
    """
    device = pool.latents.device
    clips = torch.randint(len(pool.latents), (batch,), device=device)
    prompts = torch.randint(pool.prompt_embeds.shape[1], (batch,), device=device)
    uniform = torch.rand(batch, device=device)
    sigma = SIGMA_SHIFT * uniform / (1 + (SIGMA_SHIFT - 1) * uniform)
    clean_latents = pool.latents[clips].float()
    noise = torch.randn_like(clean_latents)
    noisy_latents = add_noise(clean_latents, noise, sigma)
    packed_mask = pool.packed_mask.expand(batch, -1, -1, -1, -1)
    is_empty = torch.rand(batch, device=device) < EMPTY_PROMPT_SHARE
    prompt_embeds = torch.where(is_empty[:, None, None], empty_prompt, pool.prompt_embeds[clips, prompts])
    # The adapter in lib gives the transformer this many tokens, zero after the text, and they all count.
    prompt_embeds = F.pad(prompt_embeds, (0, 0, 0, MAX_PROMPT_TOKENS - prompt_embeds.shape[1]))
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        velocity = transformer(
            hidden_states=torch.cat([noisy_latents, packed_mask, pool.condition_latents[clips]], dim=1),
            timestep=sigma * NUM_TIMESTEPS,
            encoder_hidden_states=prompt_embeds,
            encoder_hidden_states_image=pool.image_embeds[clips],
            return_dict=False,
        )[0]
    return F.mse_loss(velocity.float(), target_velocity(clean_latents, noise))


def train(
    transformer: WanTransformer3DModel,
    average: WanTransformer3DModel,
    pools: tuple[ClipPool, ClipPool],
    empty_prompt: torch.Tensor,
    batch: int,
    seconds: float,
    checkpoint_path: Path,
) -> Iterator[str]:
    """Train in place; yields lines for the log.

    Args:
        transformer: on the pools' device.
        average: a copy that follows the weights' moving average; the one to keep.
        pools: landscape and portrait clips.
        empty_prompt, batch: as in `flow_matching_loss`.
        seconds: of training in all, those before an interruption included.
        checkpoint_path: of the state after an interruption.
    """
    parameters, averages = list(transformer.parameters()), list(average.parameters())
    optimizer = make_adamw(parameters, weight_decay=0.01)
    checkpoint = load_checkpoint(checkpoint_path, str(empty_prompt.device))
    if checkpoint:
        transformer.load_state_dict(checkpoint["transformer"])
        average.load_state_dict(checkpoint["average"])
        optimizer.load_state_dict(checkpoint["optimizer"])
    spent, num_steps = checkpoint.get("seconds", 0.0), checkpoint.get("steps", 0)
    torch.manual_seed(num_steps)
    if empty_prompt.is_cuda:
        transformer.compile_repeated_blocks(dynamic=False)
    started, saved, mean_loss = perf_counter() - spent, spent, torch.zeros((), device=empty_prompt.device)
    while spent < seconds:
        set_learning_rate(optimizer, spent / seconds, PEAK_LEARNING_RATE)
        pool = pools[num_steps % PORTRAIT_EVERY == PORTRAIT_EVERY - 1]
        loss = flow_matching_loss(transformer, pool, empty_prompt, batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        clip_gradients(parameters, GRADIENT_CLIP)
        optimizer.step()
        num_steps += 1
        with torch.no_grad():
            torch._foreach_lerp_(averages, parameters, 1 - min(EMA_DECAY, num_steps / (num_steps + 10)))
            mean_loss.lerp_(loss.detach(), 0.02 if num_steps > 50 else 1 / num_steps)
        if num_steps % 20 == 0 or not empty_prompt.is_cuda:
            value = mean_loss.item()  # waits for the GPU, so that the clock below is right
            spent = perf_counter() - started
            if num_steps % 200 == 0 or num_steps == 20 or not empty_prompt.is_cuda:
                yield f"{spent:6.1f} s  step {num_steps:6d}  loss {value:.4f}"
        if spent - saved > CHECKPOINT_SECONDS:
            state = {"transformer": transformer.state_dict(), "average": average.state_dict()}
            state |= {"optimizer": optimizer.state_dict(), "seconds": spent, "steps": num_steps}
            save_checkpoint(checkpoint_path, state)
            saved = spent


@torch.no_grad()
def measure_loss(transformer: WanTransformer3DModel, pool: ClipPool, empty_prompt: torch.Tensor) -> float:
    """Measure the mean loss over held-out clips, with the same noise each time."""
    torch.manual_seed(0)
    losses = [flow_matching_loss(transformer, pool, empty_prompt, batch=len(pool.latents)) for _ in range(16)]
    return round(torch.stack(losses).mean().item(), 4)


def main() -> None:
    """Encode the pool, pre-train, save the averaged half-precision weights, then measure held-out clips."""
    parser = argparse.ArgumentParser(description="Pre-train the demo's image-to-video transformer.")
    parser.add_argument("--wan", type=Path, required=True, help="Wan folder with the VAE and the encoders")
    parser.add_argument("--output", type=Path, required=True, help="folder to write, in diffusers layout")
    parser.add_argument("--start", type=Path, help="finished transformer to go on from, with a fresh optimizer")
    parser.add_argument("--seconds", type=float, default=420, help="of training")
    parser.add_argument("--clips", type=int, default=40000, help="clips to train on")
    parser.add_argument("--batch", type=int, default=256, help="clips a step")
    parser.add_argument("--held-out", type=int, default=128, help="clips to measure")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw scenes")
    parser.add_argument("--work", type=Path, default=Path(".cache/training/transformer"), help="checkpoint's folder")
    arguments = parser.parse_args()
    num_portrait = arguments.clips // PORTRAIT_EVERY
    landscape = pack_numbered("train", range(arguments.clips - num_portrait), False, arguments.workers)
    portrait = pack_numbered("train", range(num_portrait), True, arguments.workers)
    held_out = pack_numbered("held_out", range(arguments.held_out))
    device, started = prepare_gpu(), perf_counter()
    pools = [encode_pool(arguments.wan, *scenes, NUM_FRAMES, device) for scenes in (landscape, portrait, held_out)]
    empty_prompt = encode_prompts(arguments.wan, [[""]], device)[0].to(pools[0].prompt_embeds.dtype)
    print(f"{arguments.clips} clips encoded in {perf_counter() - started:.0f} s", flush=True)
    transformer = make_transformer(pools[0].prompt_embeds.shape[-1], pools[0].image_embeds.shape[-1])
    if arguments.start is not None:
        finished = WanTransformer3DModel.from_pretrained(arguments.start, torch_dtype=torch.float32)
        transformer.load_state_dict(finished.state_dict())
    transformer.to(device)
    average = deepcopy(transformer).requires_grad_(False)
    training = (pools[0], pools[1]), empty_prompt, arguments.batch, arguments.seconds
    for line in train(transformer, average, *training, arguments.work / "checkpoint.pt"):
        print(line, flush=True)
    figures = {"held-out loss": measure_loss(average, pools[2], empty_prompt)}
    average.half().save_pretrained(arguments.output, max_shard_size="12MB")
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
