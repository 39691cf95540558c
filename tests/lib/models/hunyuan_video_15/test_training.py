"""Both stages of the method on a tiny HunyuanVideo-1.5, from pixels to the edited video."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import HunyuanVideo15ImageToVideoPipeline
from safetensors.torch import load_file

from lib.config.families import family_of
from lib.diffusion.denoising import denoise, draw_noise
from lib.diffusion.encoding import encode_edit, encode_source, load_encoded, load_samples, save_encoded
from lib.diffusion.flow_matching import sigma_schedule
from lib.diffusion.generation import EditedClip, Sampling, generate_video
from lib.execution.block_runs import Execution
from lib.execution.memory_modes import MemoryMode, MemoryUse
from lib.inputs.checkpoints import read_lora_targets
from lib.inputs.lora_files import check_lora
from lib.models.base import Sample, VideoModel
from lib.models.hunyuan_video_15.adapter import HunyuanVideo15Model
from lib.models.hunyuan_video_15.loading import place_transformer
from lib.models.load import load_model
from lib.training.fine_tuning import train_lora
from lib.training.loop import Objective, Optimizer, start_training
from lib.training.loop import train as steps_of
from lib.training.lora import load_for_generation
from lib.training.schedule import make_schedule
from lib.video.windows import plan_windows
from tests.lib.models.hunyuan_video_15.checkpoint import (
    CHANNELS,
    GLYPH_WIDTH,
    PICTURE_WIDTH,
    TEXT_WIDTH,
    checkpoint,
    transformer,
)
from tests.lib.models.hunyuan_video_15.test_against_diffusers import generate, plain_video
from tests.lib.training.example_training import ADAPTER, OBJECTIVE, OPTIMIZER, files_of
from tests.lib.video.example_videos import smooth_video

CPU = torch.device("cpu")
FRAMES, WINDOW, HEIGHT, WIDTH, SPLIT = 9, 5, 48, 80, 32
KINDS = ["still", "placed"]
SAMPLING = Sampling(
    num_steps=3, guidance=2.0, shift=5.0, seed=0, lock_latents=True, composite=True, feather=2.0, cache_threshold=0.0
)
CELLS, NUM_STEPS, NUM_SAMPLES = (3, 2, 4), 300, 64


@dataclass(frozen=True)
class Trained:
    """A clip whose left part may change, with what was encoded of it and learnt from that."""

    folder: Path
    clip: EditedClip

    @property
    def decouple(self) -> Path:
        """The LoRA of stage 1."""
        return self.folder / "decouple.safetensors"

    def appearance(self, kind: str) -> Path:
        """The LoRA of stage 2, from references of a kind."""
        return self.folder / f"appearance-{kind}.safetensors"

    def edit(self, kind: str) -> Path:
        """What was encoded of the edit."""
        return self.folder / f"edit-{kind}.safetensors"


def load(folder: Path, *components: str, mode: MemoryMode = "fast") -> VideoModel:
    """Load components of the checkpoint."""
    use = MemoryUse(mode)
    return load_model(folder, components, family="hunyuan_video_15", device=CPU, dtype=torch.float32, memory=use)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Encode, and train stage 1, and stage 2 on either kind of reference."""
    folder = checkpoint(tmp_path_factory.mktemp("hunyuan"))
    source, mask = smooth_video(FRAMES, HEIGHT, WIDTH), np.zeros((FRAMES, HEIGHT, WIDTH), bool)
    mask[:, :, :SPLIT] = True
    made = Trained(folder, EditedClip(source, np.where(mask[0, ..., None], 255 - source[0], source[0]), mask, "edit"))
    model = load(folder, "vae", "encoders")
    save_encoded(encode_source(model, source, mask, "a dog", "edit"), folder / "source.safetensors")
    references = {index: 255 - source[index] for index in (3, 7)}
    for kind in KINDS:
        given = (model, source, made.clip.first_frame, references, mask, 'a "CAT"', "blurred", "edit")
        words = {3: "a cat that turns", 7: 'a "cat" from behind'}
        save_encoded(encode_edit(*given, reference_sample=kind, reference_prompts=words), made.edit(kind))
    short = (model, source, made.clip.first_frame, {}, mask, "a cat", "blurred", "edit")
    save_encoded(encode_edit(*short, window=WINDOW), made.edit("windowed"))
    train(made, made.decouple, None, None, 12)
    for kind in KINDS:
        train(made, made.appearance(kind), kind, made.decouple, 6)
    return made


def train(
    made: Trained, lora: Path, kind: str | None, start_from: Path | None, steps: int, mode: MemoryMode = "fast"
) -> None:
    """Train a LoRA: of the source, or with references too, two in a step."""
    model = load(made.folder, "transformer", mode=mode)
    samples = load_samples(made.folder / "source.safetensors", made.edit(kind) if kind else None, model.device)
    schedule = make_schedule(steps, samples.counts, 0.0, 0.5 if kind else 0.0, 2)
    files = files_of(lora, lora.with_suffix(".jsonl"), start_from)
    train_lora(model, samples.in_order, schedule, ADAPTER, OPTIMIZER, OBJECTIVE, **files)


def test_both_stages_train(trained: Trained) -> None:
    """Every adapted layer that matters learns in stage 1, and on in stage 2, from either kind of reference."""
    targets = read_lora_targets(str(trained.folder), family_of("hunyuan_video_15"))
    assert check_lora(trained.decouple, targets, ADAPTER.rank) == []
    first = load_file(trained.decouple)
    assert len(first) == 2 * sum(len(layers) for layers in targets.layers.values())
    # What the last block does to the texts is read by nobody, but for the keys and values that the video sees.
    unread = ("1.attn.add_q_proj", "1.attn.to_add_out", "1.ff_context")
    read = [name for name in first if ".lora_B." in name and not any(layer in name for layer in unread)]
    assert all(first[name].abs().max() > 0 for name in read) and len(read) == len(first) // 2 - 4
    for kind in KINDS:
        second = load_file(trained.appearance(kind))
        assert second.keys() == first.keys() and all(not torch.equal(second[name], first[name]) for name in read)


@pytest.mark.parametrize("mode", ["balanced", "low"])
def test_memory_modes_learn_the_same(trained: Trained, tmp_path: Path, mode: MemoryMode) -> None:
    """Blocks that are computed again, their weights and inputs streamed, learn the same to rounding."""
    lora = tmp_path / "lora.safetensors"
    train(trained, lora, "placed", trained.decouple, 6, mode)
    usual = load_file(trained.appearance("placed"))
    assert all(torch.allclose(tensor, usual[name], atol=1e-6) for name, tensor in load_file(lora).items())


def test_streamed_encoders_encode_the_same(trained: Trained) -> None:
    """The language model's blocks may come from host memory one by one."""
    usual, streamed = (load(trained.folder, "encoders", mode=mode).encode_prompt("a cat") for mode in ("fast", "low"))
    assert usual.keys() == streamed.keys() and all(torch.equal(usual[name], streamed[name]) for name in usual)


def test_an_exported_lora_loads_in_the_plain_pipeline(trained: Trained) -> None:
    """The pipeline's own transformer with the file of stage 2 makes the video that ours makes, and not without it."""
    source = trained.clip.source_video
    model = load(trained.folder, "vae", "encoders", "transformer")
    load_for_generation(model, trained.appearance("still"), 1.0)
    plain = HunyuanVideo15ImageToVideoPipeline.from_pretrained(
        trained.folder, dtype=torch.float32, local_files_only=True
    )
    without = plain_video(plain, source, 2.0, seed=3)
    plain.transformer.load_lora_adapter(load_file(trained.appearance("still")), prefix="transformer")
    ours = generate(model, source, 2.0, seed=3)
    assert (ours - plain_video(plain, source, 2.0, seed=3)).abs().max() < 1e-3
    assert (ours - without).abs().max() > 5e-3


@pytest.mark.parametrize(("kind", "window"), [("still", FRAMES), ("windowed", WINDOW)])
def test_an_edit_is_generated(trained: Trained, kind: str, window: int) -> None:
    """Whole and in windows, with the source put back where nothing may change, and the same each time."""
    model, clip = load(trained.folder, "vae", "transformer"), trained.clip
    load_for_generation(model, trained.appearance("still"), 1.0)
    given = load_encoded(trained.edit(kind), model.device), clip, plan_windows(FRAMES, window, 1)
    video = generate_video(model, *given, SAMPLING)
    assert video.shape == clip.source_video.shape and video.dtype == np.uint8
    assert np.array_equal(video[1:, :, SPLIT:], clip.source_video[1:, :, SPLIT:])
    assert np.abs(video[1:, :, :SPLIT].astype(int) - clip.source_video[1:, :, :SPLIT]).max() > 8
    assert np.array_equal(generate_video(model, *given, SAMPLING), video)


def test_drafts_skip_blocks(trained: Trained) -> None:
    """First Block Cache: a threshold takes fewer passes through the last block, and none leaves no trace behind."""
    model, clip = load(trained.folder, "vae", "transformer"), trained.clip
    counted: list[int] = []
    model.transformer.transformer_blocks[-1].ff.register_forward_hook(lambda *_: counted.append(1))  # type: ignore[union-attr,operator]
    encoded, videos, passes = load_encoded(trained.edit("still"), model.device), [], []
    for threshold in (0.0, 0.9, 0.0):
        counted.clear()
        sampling = Sampling(8, 2.0, 5.0, 0, False, False, 0.0, threshold)
        videos.append(generate_video(model, encoded, clip, [(0, FRAMES)], sampling))
        passes.append(len(counted))
    assert passes[0] == passes[2] == 16 and passes[1] < 16
    assert np.array_equal(videos[0], videos[2])


def _sample(seed: int, side: str) -> Sample:
    """Draw latents that nothing but seeing them could tell, of which one side is to be regenerated."""
    latents = torch.randn(1, CHANNELS, *CELLS, generator=torch.Generator().manual_seed(seed))
    kept = torch.ones(1, 1, *CELLS)
    kept[:, :, 1:, :, slice(0, 2) if side == "left" else slice(2, 4)] = 0
    read = {"qwen_states": (2, TEXT_WIDTH), "byt5_states": (0, GLYPH_WIDTH), "siglip_states": (1, PICTURE_WIDTH)}
    words = {name: torch.zeros(1, *shape) for name, shape in read.items()}
    return Sample(latents, {**words, "given_latents": latents * kept, "given_cells": kept})


def test_what_is_kept_comes_back_and_nothing_else() -> None:
    """Trained on such latents, a model generates the kept ones of others, and not those that nothing tells."""
    torch.manual_seed(0)
    denoiser = place_transformer(transformer(num_heads=6), Execution(), CPU)
    model = HunyuanVideo15Model(CPU, {"transformer": denoiser})
    optimizer = Optimizer(3e-3, decay_share=0.3, beta1=0.9, beta2=0.99, weight_decay=0.0, gradient_clip=1.0)
    samples = [_sample(seed, ("left", "right")[seed % 2]) for seed in range(NUM_SAMPLES)]
    schedule = [(step % NUM_SAMPLES,) for step in range(NUM_STEPS)]
    state = start_training(list(denoiser.parameters()), optimizer, seed=0)
    for _ in steps_of(model, state, samples, schedule, optimizer, Objective(sigma_shift=1.0, region_weight=1.0)):
        pass
    for side in ("left", "right"):
        kept_error, regenerated_error = 0.0, 0.0
        for seed in range(1000, 1004):
            sample = _sample(seed, side)
            noise = draw_noise(sample.latents.shape, seed + 1, CPU)
            latents = denoise(model, noise, sigma_schedule(8, 1.0), sample.conditioning, {}, 1.0, lambda _: None)
            regenerated = model.regenerated_cells(sample.conditioning).bool().expand_as(latents)
            error = (latents - sample.latents).square()
            kept_error += float(error[~regenerated].mean()) / 4
            regenerated_error += float(error[regenerated].mean()) / 4
        assert kept_error < 0.5 < 0.9 < regenerated_error, (side, kept_error, regenerated_error)
