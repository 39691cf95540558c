"""Both stages of the method on a tiny HunyuanVideo, from pixels to the edited video; its LoRA in the plain pipeline."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import HunyuanVideoImageToVideoPipeline
from PIL import Image
from safetensors.torch import load_file

from lib.config.families import family_of
from lib.diffusion.encoding import encode_edit, encode_source, load_encoded, load_samples, save_encoded
from lib.diffusion.generation import EditedClip, Sampling, generate_video
from lib.execution.memory_modes import MemoryMode, MemoryUse
from lib.inputs.checkpoints import read_lora_targets
from lib.inputs.disk import estimate_lora_bytes
from lib.inputs.lora_files import check_lora
from lib.models.base import VideoModel
from lib.models.hunyuan_video.family import FORMS
from lib.models.load import load_model
from lib.training.fine_tuning import train_lora
from lib.training.loop import cell_weights, weighted_loss
from lib.training.lora import load_for_generation
from lib.training.schedule import make_schedule
from lib.video.windows import plan_windows
from tests.lib.models.hunyuan_video.checkpoint import checkpoint
from tests.lib.models.hunyuan_video.test_against_diffusers import DROPPED, GUIDANCES, generate
from tests.lib.training.example_training import ADAPTER, LAYERS, OBJECTIVE, OPTIMIZER, files_of
from tests.lib.video.example_videos import smooth_video

FRAMES, WINDOW, HEIGHT, WIDTH, SPLIT = 9, 5, 48, 64, 32
KINDS = ["still", "placed"]
SAMPLING = Sampling(
    num_steps=3, guidance=2.0, shift=7.0, seed=0, lock_latents=True, composite=True, feather=2.0, cache_threshold=0.0
)


@dataclass(frozen=True)
class Trained:
    """A clip whose left half may change, with what was encoded of it and learnt from that."""

    form: str
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
    device, use = torch.device("cpu"), MemoryUse(mode)
    return load_model(folder, components, family="hunyuan_video", device=device, dtype=torch.float32, memory=use)


@pytest.fixture(scope="module", params=FORMS)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Encode, and train stage 1, and stage 2 on either kind of reference, with either form of the model."""
    form = str(request.param)
    folder = checkpoint(tmp_path_factory.mktemp("hunyuan"), form)
    source, mask = smooth_video(FRAMES, HEIGHT, WIDTH), np.zeros((FRAMES, HEIGHT, WIDTH), bool)
    mask[:, :, :SPLIT] = True
    made = Trained(
        form, folder, EditedClip(source, np.where(mask[0, ..., None], 255 - source[0], source[0]), mask, "edit")
    )
    encode(made)
    train(made, made.decouple, None, None, 12)
    for kind in KINDS:
        train(made, made.appearance(kind), kind, made.decouple, 6)
    return made


def encode(made: Trained) -> None:
    """Write source.safetensors, and an edit's with two references that have prompts of their own."""
    model, clip = load(made.folder, "vae", "encoders"), made.clip
    save_encoded(
        encode_source(model, clip.source_video, clip.edit_mask, "a dog", "edit"), made.folder / "source.safetensors"
    )
    references = {index: 255 - clip.source_video[index] for index in (3, 7)}
    for kind in KINDS:
        given = (model, clip.source_video, clip.first_frame, references, clip.edit_mask, "a cat", "blurred", "edit")
        words = {3: "a cat that turns", 7: "a cat from behind"}
        save_encoded(encode_edit(*given, reference_sample=kind, reference_prompts=words), made.edit(kind))
    short = (model, clip.source_video, clip.first_frame, {}, clip.edit_mask, "a cat", "blurred", "edit")
    save_encoded(encode_edit(*short, window=WINDOW), made.edit("windowed"))


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
    """Every adapted layer learns in stage 1, and learns on in stage 2, from either kind of reference."""
    targets = read_lora_targets(str(trained.folder), family_of("hunyuan_video"))
    assert check_lora(trained.decouple, targets, ADAPTER.rank) == []
    first = load_file(trained.decouple)
    assert len(first) == 2 * sum(len(layers) for layers in targets.layers.values())
    assert estimate_lora_bytes(targets, ADAPTER.rank, LAYERS) == sum(tensor.nbytes for tensor in first.values())
    # Of the last block's text nothing is read, but single blocks share weights: no layer stays as it was.
    assert all(tensor.abs().max() > 0 for name, tensor in first.items() if ".lora_B." in name)
    for kind in KINDS:
        second = load_file(trained.appearance(kind))
        assert second.keys() == first.keys()
        assert all(not torch.equal(second[name], first[name]) for name in first if ".lora_B." in name)
    assert not torch.equal(
        *(torch.cat([tensor.flatten() for tensor in load_file(trained.appearance(kind)).values()]) for kind in KINDS)
    )


def test_training_lowers_the_loss(trained: Trained) -> None:
    """At the same noise the trained LoRA predicts the source's velocity better than none."""
    sample = load_samples(trained.folder / "source.safetensors", None, torch.device("cpu")).source[0]
    losses = []
    for lora in (None, trained.decouple):
        model = load(trained.folder, "transformer")
        if lora:
            load_for_generation(model, lora, 1.0)
        noise = torch.randn(sample.latents.shape, generator=torch.Generator().manual_seed(5))
        noisy, sigma = 0.5 * sample.latents + 0.5 * noise, torch.tensor([0.5])
        with torch.no_grad():
            velocity = model.predict_velocity(noisy, sigma, sample.conditioning)
        weights = cell_weights(model, sample.latents, sample.conditioning, region_weight=1)
        losses.append(float(weighted_loss(velocity, noise - sample.latents, weights)))
    assert losses[1] < 0.99 * losses[0]


@pytest.mark.parametrize("mode", ["balanced", "low"])
def test_memory_modes_learn_the_same(trained: Trained, tmp_path: Path, mode: MemoryMode) -> None:
    """Blocks that are computed again, their weights and inputs streamed, learn the same bits, of batches too."""
    for kind, start, expected in (
        (None, None, trained.decouple),
        ("placed", trained.decouple, trained.appearance("placed")),
    ):
        train(trained, tmp_path / "lora.safetensors", kind, start, 12 if kind is None else 6, mode)
        found, usual = load_file(tmp_path / "lora.safetensors"), load_file(expected)
        assert all(torch.equal(tensor, usual[name]) for name, tensor in found.items())


def test_streamed_encoders_encode_the_same(trained: Trained) -> None:
    """LLaVA's blocks may come from host memory one by one."""
    usual, streamed = (load(trained.folder, "encoders", mode=mode).encode_prompt("a cat") for mode in ("fast", "low"))
    assert usual.keys() == streamed.keys() and all(torch.equal(usual[name], streamed[name]) for name in usual)


def test_an_exported_lora_loads_in_the_plain_pipeline(trained: Trained) -> None:
    """diffusers' pipeline with the file of stage 2 makes the video that ours makes, and another one without it."""
    source, seed = trained.clip.source_video, 3
    model = load(trained.folder, "vae", "encoders", "transformer")
    load_for_generation(model, trained.appearance("still"), 1.0)
    plain = HunyuanVideoImageToVideoPipeline.from_pretrained(trained.folder, dtype=torch.float32, local_files_only=True)

    def theirs() -> torch.Tensor:
        return plain(
            image=Image.fromarray(source[0]),
            prompt="a red star moving to the right",
            negative_prompt="blurred",
            height=HEIGHT,
            width=WIDTH,
            num_frames=FRAMES,
            num_inference_steps=4,
            **{GUIDANCES[trained.form]: 2.0},
            generator=torch.Generator("cpu").manual_seed(seed),
            output_type="pt",
        ).frames[0]

    without = theirs()
    plain.load_lora_weights(trained.appearance("still"))
    ours = generate(model, source, plain.scheduler.sigmas, 2.0, seed)[DROPPED[trained.form] :]
    assert (ours - theirs()).abs().max() < 1e-3 and (ours - without).abs().max() > 5e-3


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
    model.transformer.single_transformer_blocks[-1].proj_out.register_forward_hook(lambda *_: counted.append(1))  # type: ignore[union-attr,operator]
    encoded, videos, passes = load_encoded(trained.edit("still"), model.device), [], []
    for threshold in (0.0, 0.9, 0.0):
        counted.clear()
        sampling = Sampling(8, 2.0, 7.0, 0, False, False, 0.0, threshold)
        videos.append(generate_video(model, encoded, clip, [(0, FRAMES)], sampling))
        passes.append(len(counted))
    usual = 16 if trained.form == "latent_concat" else 8  # a model that is told guidance needs no second pass
    assert passes[0] == passes[2] == usual and passes[1] < usual
    assert np.array_equal(videos[0], videos[2])
