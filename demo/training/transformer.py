"""Pre-train the demo's image-to-video transformer and its text encoder, as an ordinary first-frame model.

`python -m demo.training.transformer --wan FOLDER --output FOLDER --seconds 420` on one GPU, where --wan holds the
trained VAE and the image encoder; `torchrun --nproc-per-node 2 -m demo.training.transformer ...` shares the work
between two. It never sees a spatial mask: that is left for a clip's LoRA to teach. New clips take the place of old ones
while it trains. Run again with the same --work to go on after an interruption.
"""

import argparse
import json
from collections.abc import Iterator
from copy import deepcopy
from functools import partial
from itertools import count
from pathlib import Path
from time import perf_counter

import torch
import torch.nn.functional as F
from diffusers import WanTransformer3DModel
from transformers import AutoTokenizer, UMT5Config, UMT5EncoderModel

from demo.training.clip_pool import ClipEncoder, ClipPool
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
from demo.world.random_scenes import Drawer, filmed_numbers, pack_numbered
from demo.world.rendering import Packed
from demo.world.scenes import Scene
from lib.diffusion.flow_matching import add_noise, shift_sigmas, target_velocity
from lib.models.experts import THOUSANDTHS

PEAK_LEARNING_RATE = 8e-4
NUM_HEADS, NUM_LAYERS = 4, 8
TEXT_WIDTH = 64  # of the text encoder
GRADIENT_CLIP = 1.0
EMA_DECAY = 0.999
EMPTY_PROMPT_SHARE = 0.1  # of the samples, for guidance
SIGMA_SHIFT = 3.0  # of the sigmas drawn, towards noise
PORTRAIT_EVERY = 4  # every fourth step is on portrait clips
NUM_FRAMES = 17
CLIPS_A_TASK, STEPS_BETWEEN_TASKS = 128, 40  # new clips, and how often they come
FIRST_FRESH = 10_000_000  # number of their first scene, in each process its own
CHECKPOINT_SECONDS = 90


def make_transformer(
    text_dim: int = 64, image_dim: int = 64, num_heads: int = NUM_HEADS, num_layers: int = NUM_LAYERS
) -> WanTransformer3DModel:
    """Build a transformer with Wan2.1-I2V's structure, 10.3 million parameters with 4 heads and 8 layers."""
    torch.manual_seed(0)
    width = num_heads * 64
    return WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=num_heads,
        attention_head_dim=64,
        in_channels=36,
        out_channels=16,
        text_dim=text_dim,
        freq_dim=256,
        ffn_dim=4 * width,
        num_layers=num_layers,
        cross_attn_norm=True,
        qk_norm="rms_norm_across_heads",
        image_dim=image_dim,
        added_kv_proj_dim=width,
    )


def make_text_encoder(vocabulary_size: int, width: int) -> UMT5EncoderModel:
    """Build a UMT5 encoder of two layers."""
    torch.manual_seed(1)
    config = UMT5Config(
        vocab_size=vocabulary_size, d_model=width, d_kv=16, d_ff=128, num_layers=2, num_heads=4, dropout_rate=0.0
    )
    return UMT5EncoderModel(config)


class PromptedTransformer(torch.nn.Module):
    """The transformer with its text encoder, trained together."""

    def __init__(self, transformer: WanTransformer3DModel, text_encoder: UMT5EncoderModel) -> None:
        super().__init__()
        self.transformer, self.text_encoder = transformer, text_encoder

    def forward(
        self, latents: torch.Tensor, sigma: torch.Tensor, tokens: torch.Tensor, image_embeds: torch.Tensor
    ) -> torch.Tensor:
        """Predict the velocity.

        Args:
            latents: noisy 16, mask 4 and condition 16 channels, (batch, 36, frames, height, width).
            sigma: (batch,).
            tokens: (batch, tokens) ids, 0 after the text's end.
            image_embeds: (batch, image tokens, image width).
        """
        is_text = tokens.ne(0)
        states = self.text_encoder(tokens, is_text.long()).last_hidden_state
        velocity: torch.Tensor = self.transformer(
            hidden_states=latents,
            timestep=sigma * THOUSANDTHS,
            encoder_hidden_states=states * is_text.unsqueeze(-1),
            encoder_hidden_states_image=image_embeds,
            return_dict=False,
        )[0]
        return velocity


def flow_matching_loss(model: PromptedTransformer, pool: ClipPool, batch: int) -> torch.Tensor:
    """Return the mean squared velocity error of random clips at random sigmas.

    Args:
        model: in float32; runs in bfloat16 on a GPU.
        pool: what to draw from.
        batch: clips.
    """
    device = pool.latents.device
    clips = torch.randint(len(pool.latents), (batch,), device=device)
    prompts = torch.randint(pool.prompt_tokens.shape[1], (batch,), device=device)
    uniform = torch.rand(batch, device=device)
    sigma = shift_sigmas(uniform, SIGMA_SHIFT)
    clean_latents = pool.latents[clips].float()
    noise = torch.randn_like(clean_latents)
    noisy_latents = add_noise(clean_latents, noise, sigma)
    packed_mask = pool.packed_mask.expand(batch, -1, -1, -1, -1)
    is_empty = torch.rand(batch, device=device) < EMPTY_PROMPT_SHARE
    tokens = torch.where(is_empty[:, None], pool.empty_prompt, pool.prompt_tokens[clips, prompts].long())
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        latents = torch.cat([noisy_latents, packed_mask, pool.condition_latents[clips]], dim=1)
        velocity = model(latents, sigma, tokens, pool.image_embeds[clips])
    return F.mse_loss(velocity.float(), target_velocity(clean_latents, noise))


def make_optimizers(model: PromptedTransformer) -> tuple[torch.optim.Optimizer, ...]:
    """Make Muon for the matrices of the transformer's blocks, and AdamW for everything else."""
    is_matrix = {
        name: name.startswith("transformer.blocks.") and weight.ndim == 2 for name, weight in model.named_parameters()
    }
    matrices, others = (
        [weight for name, weight in model.named_parameters() if is_matrix[name] == wanted] for wanted in (True, False)
    )
    return BatchedMuon(matrices, weight_decay=0.01), make_adamw(others, weight_decay=0.01)


def train(
    model: PromptedTransformer,
    average: PromptedTransformer,
    pools: tuple[ClipPool, ClipPool],
    batch: int,
    seconds: float,
    checkpoint_path: Path,
    peak_rate: float = PEAK_LEARNING_RATE,
    fresh: Iterator[tuple[bool, ClipPool]] | None = None,
    process: int = 0,
) -> Iterator[str]:
    """Train in place; yields lines for the log.

    Args:
        model: on the pools' device.
        average: a copy that follows the weights' moving average; the one to keep.
        pools: landscape and portrait clips, others in each process.
        batch: clips a step in this process.
        seconds: of training in all, those before an interruption included.
        checkpoint_path: of the state after an interruption.
        peak_rate: highest learning rate.
        fresh: clips that take the place of the pools', and whether they are portrait.
        process: this process's number; the first one writes checkpoints.
    """
    parameters, averages = list(model.parameters()), list(average.parameters())
    device = pools[0].latents.device
    optimizers = make_optimizers(model)
    checkpoint = load_checkpoint(checkpoint_path, str(device))
    if checkpoint:
        model.load_state_dict(checkpoint["model"])
        average.load_state_dict(checkpoint["average"])
        for optimizer, state in zip(optimizers, checkpoint["optimizers"], strict=True):
            optimizer.load_state_dict(state)
    spent, num_steps = checkpoint.get("seconds", 0.0), checkpoint.get("steps", 0)
    torch.manual_seed(num_steps * 1000 + process)
    if device.type == "cuda":
        model.transformer.compile_repeated_blocks(dynamic=False)

    def update() -> None:
        clip_gradients(parameters, GRADIENT_CLIP)
        for optimizer in optimizers:
            optimizer.step()

    steps = [
        capture_shared_step(partial(flow_matching_loss, model, pool, batch), update, parameters) for pool in pools
    ]  # a graph for each shape
    replaced = [0, 0]
    started, saved, mean_loss = perf_counter() - spent, spent, torch.zeros((), device=device)
    while spent < seconds:
        for optimizer in optimizers:
            set_learning_rate(optimizer, spent / seconds, peak_rate)
        loss = steps[num_steps % PORTRAIT_EVERY == PORTRAIT_EVERY - 1]()
        num_steps += 1
        with torch.no_grad():
            torch._foreach_lerp_(averages, parameters, 1 - min(EMA_DECAY, num_steps / (num_steps + 10)))
            mean_loss.lerp_(loss, 0.02 if num_steps > 50 else 1 / num_steps)
        if fresh and num_steps % STEPS_BETWEEN_TASKS == 0:
            is_portrait, clips = next(fresh)
            pools[is_portrait].put(replaced[is_portrait], clips)
            replaced[is_portrait] = (replaced[is_portrait] + CLIPS_A_TASK) % len(pools[is_portrait].latents)
        if num_steps % 20 == 0 or device.type == "cpu":
            # All processes go by one clock, so that they stop together; reading it waits for the GPU.
            clock = torch.tensor(perf_counter() - started, device=device)
            average_over_processes([clock])
            spent = clock.item()
            if num_steps % 200 == 0 or num_steps == 20 or device.type == "cpu":
                yield f"{spent:6.1f} s  step {num_steps:6d}  loss {mean_loss.item():.4f}"
        if spent - saved > CHECKPOINT_SECONDS and process == 0:
            state = {"model": model.state_dict(), "average": average.state_dict()}
            state |= {"optimizers": [optimizer.state_dict() for optimizer in optimizers]}
            state |= {"seconds": spent, "steps": num_steps}
            save_checkpoint(checkpoint_path, state)
            saved = spent


@torch.no_grad()
def measure_loss(model: PromptedTransformer, pool: ClipPool) -> float:
    """Measure the mean loss over held-out clips, with the same noise each time."""
    torch.manual_seed(0)
    losses = [flow_matching_loss(model, pool, batch=len(pool.latents)) for _ in range(16)]
    return round(torch.stack(losses).mean().item(), 4)


def load_or_make(
    start: Path | None, vocabulary_size: int, image_width: int, num_heads: int, num_layers: int
) -> PromptedTransformer:
    """Load a finished transformer and text encoder from a Wan folder, or make new ones where it is None."""
    if start is None:
        text_encoder = make_text_encoder(vocabulary_size, TEXT_WIDTH)
        return PromptedTransformer(make_transformer(TEXT_WIDTH, image_width, num_heads, num_layers), text_encoder)
    return PromptedTransformer(
        WanTransformer3DModel.from_pretrained(start, subfolder="transformer", dtype=torch.float32),
        UMT5EncoderModel.from_pretrained(start, subfolder="text_encoder", dtype=torch.float32),
    )


def draw_fresh(first: int, drawer: Drawer) -> Iterator[tuple[bool, list[Scene], Packed]]:
    """Draw new scenes without end, every fourth time portrait ones; other processes draw them ahead."""
    tasks = (
        ("train", range(number, number + CLIPS_A_TASK), (number - first) // CLIPS_A_TASK % PORTRAIT_EVERY == 0)
        for number in count(first, CLIPS_A_TASK)
    )
    for (_, _, is_portrait), (scenes, packed) in drawer.draw(tasks):
        yield is_portrait, scenes, packed


def main() -> None:
    """Encode the pool, pre-train, save the averaged half-precision weights, and only then measure held-out clips."""
    parser = argparse.ArgumentParser(description="Pre-train the demo's image-to-video transformer.")
    parser.add_argument("--wan", type=Path, required=True, help="Wan folder with the VAE and the image encoder")
    parser.add_argument("--output", type=Path, required=True, help="folder to write, in diffusers layout")
    parser.add_argument("--start-from", type=Path, help="Wan folder with finished weights to go on from")
    parser.add_argument("--seconds", type=float, default=420, help="of training")
    parser.add_argument(
        "--clips", type=int, default=40000, help="landscape clips to train on, a quarter of them portrait too"
    )
    parser.add_argument("--first-clip", type=int, default=0, help="number of the first of them")
    parser.add_argument("--batch", type=int, default=256, help="clips a step on each GPU")
    parser.add_argument("--held-out", type=int, default=128, help="clips to measure")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw scenes")
    parser.add_argument("--heads", type=int, default=NUM_HEADS, help="attention heads of 64 channels")
    parser.add_argument("--layers", type=int, default=NUM_LAYERS, help="blocks")
    parser.add_argument("--rate", type=float, default=PEAK_LEARNING_RATE, help="highest learning rate")
    parser.add_argument("--work", type=Path, default=Path(".cache/training/transformer"), help="checkpoint's folder")
    arguments = parser.parse_args()
    process, num_processes = join_processes()
    share = arguments.clips // num_processes
    own = range(arguments.first_clip + process * share, arguments.first_clip + (process + 1) * share)
    landscape = pack_numbered("train", own, False, arguments.workers)
    portrait = pack_numbered("train", own[: share // PORTRAIT_EVERY], True, arguments.workers)
    measured = {"plain": range(arguments.held_out), "filmed": filmed_numbers(arguments.held_out)}
    held_out = {name: pack_numbered("held_out", numbers) for name, numbers in measured.items()}
    drawer = Drawer(max(1, arguments.workers // 2))  # before CUDA is in use
    device, started = prepare_gpu(), perf_counter()
    encoder = ClipEncoder(arguments.wan, NUM_FRAMES, device)
    pools = encoder.encode(*landscape), encoder.encode(*portrait)
    print(f"{share} clips encoded in {perf_counter() - started:.0f} s", flush=True)
    vocabulary_size = len(AutoTokenizer.from_pretrained(arguments.wan, subfolder="tokenizer"))
    image_width = pools[0].image_embeds.shape[-1]
    sizes = arguments.heads, arguments.layers
    model = load_or_make(arguments.start_from, vocabulary_size, image_width, *sizes).to(device)
    average = deepcopy(model).requires_grad_(False)
    drawn = draw_fresh(FIRST_FRESH * (1 + process) + arguments.first_clip, drawer)
    lines = train(
        model,
        average,
        pools,
        arguments.batch,
        arguments.seconds,
        arguments.work / "checkpoint.pt",
        arguments.rate,
        ((is_portrait, encoder.encode(scenes, packed)) for is_portrait, scenes, packed in drawn),
        process,
    )
    for line in lines:
        if process == 0:
            print(line, flush=True)
    drawer.stop()
    if process == 0:
        weights = deepcopy(average).half()
        weights.transformer.save_pretrained(arguments.output / "transformer")
        weights.text_encoder.save_pretrained(arguments.output / "text_encoder")
        figures = {f"{name} loss": measure_loss(average, encoder.encode(*scenes)) for name, scenes in held_out.items()}
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
