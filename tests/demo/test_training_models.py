"""The training commands run at tiny size on the CPU, go on after an interruption, and write loadable folders."""

import os
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel

from demo.training.clip_pool import ClipEncoder, ClipPool, scene_prompts
from demo.training.shared_lora import MODEL_FOLDER
from demo.training.steps import (
    Interruptible,
    clip_gradients,
    load_checkpoint,
    make_adamw,
    save_checkpoint,
    set_learning_rate,
)
from demo.training.transformer import (
    TEXT_WIDTH,
    PromptedTransformer,
    flow_matching_loss,
    load_or_make,
    make_optimizers,
    make_text_encoder,
    train,
)
from demo.training.vae import Phase, make_vae, measure_latents, measure_psnr, random_crops, reconstruction_loss
from demo.world.random_scenes import number_scene, pack_numbered
from demo.world.rendering import pack_scenes, render_packed
from lib.core.project import ROOT
from lib.diffusion.conditioning import make_keep_mask, put_first
from lib.inputs.model_files import identify_models
from lib.inputs.shared_lora import check_shared_loras, check_trained_on
from lib.models.load import load_model

pytestmark = pytest.mark.slow

WAN_FOLDER = Path(__file__).parents[2] / "demo/models/wan2.1-i2v-tiny"


@pytest.fixture(scope="module")
def pool() -> ClipPool:
    """Encode two clips of five frames with the demo's encoders."""
    scenes = [number_scene("train", number) for number in range(2)]
    return ClipEncoder(WAN_FOLDER, 5, "cpu").encode(scenes, pack_scenes(scenes))


def test_training_shows_the_transformer_what_lib_does(pool: ClipPool) -> None:
    """Latents, condition, image context, packed mask and prompt are those of lib's adapter, and so is the velocity."""
    device = torch.device("cpu")
    lib_model = load_model(WAN_FOLDER, {"vae", "encoders", "transformer"}, device=device, dtype=torch.float32)
    scene = number_scene("train", 1)
    prompt = scene_prompts(scene)[-1]
    video = render_packed(pack_scenes([scene]), num_frames=5).float() / 127.5 - 1
    keep_mask = make_keep_mask("first_frame", np.zeros((5, 96, 160), np.bool_), frame_stride=4)
    condition_video = put_first(video[:, :, :1], video)
    expected = lib_model.encode_conditioning(prompt, condition_video, keep_mask, video[:, :, :1])
    assert torch.allclose(pool.latents[1:], lib_model.encode_video(video), atol=1e-3)
    assert torch.allclose(pool.condition_latents[1:], expected["condition_latents"], atol=1e-3)
    assert torch.equal(pool.packed_mask, expected["packed_mask"])
    assert (pool.image_embeds[1] - expected["image_embeds"][0]).abs().mean() < 0.02  # resizing rounds differently

    model = load_or_make(WAN_FOLDER, 0, 0, 4, 8)
    latents = torch.cat([pool.latents[1:], expected["packed_mask"], expected["condition_latents"]], dim=1)
    sigma = torch.tensor([0.5])
    with torch.no_grad():
        velocity = model(latents, sigma, pool.prompt_tokens[1:, -1].long(), expected["image_embeds"])
        assert torch.allclose(velocity, lib_model.predict_velocity(latents[:, :16], sigma, expected), atol=1e-4)


def test_new_clips_take_the_place_of_old_ones(pool: ClipPool) -> None:
    """In the same memory, which a CUDA graph reads; at the end of the pool only as many as there is room for."""
    old = deepcopy(pool)
    where = old.latents.data_ptr()
    old.put(1, ClipEncoder(WAN_FOLDER, 5, "cpu").encode(*pack_numbered("train", range(5, 7))))
    assert old.latents.data_ptr() == where and len(old.latents) == len(pool.latents) == 2
    assert torch.equal(old.latents[0], pool.latents[0]) and not torch.equal(old.latents[1], pool.latents[1])
    assert not torch.equal(old.prompt_tokens[1], pool.prompt_tokens[1])


def test_transformer_learns_from_the_pool(pool: ClipPool) -> None:
    """A few steps lower the loss; mask and condition are used, and the text encoder learns too."""
    torch.manual_seed(0)
    transformer = WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=2,
        attention_head_dim=16,
        in_channels=36,
        out_channels=16,
        text_dim=TEXT_WIDTH,
        ffn_dim=64,
        num_layers=1,
        image_dim=pool.image_embeds.shape[-1],
        added_kv_proj_dim=32,
    )
    model = PromptedTransformer(transformer, make_text_encoder(int(pool.prompt_tokens.max()) + 1, TEXT_WIDTH))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(20):
        loss = flow_matching_loss(model, pool, batch=4)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.95 * sum(losses[:5])
    assert transformer.patch_embedding.weight.grad[:, 16:].abs().sum() > 0
    assert model.text_encoder.shared.weight.grad.abs().sum() > 0


def test_interrupted_training_goes_on(pool: ClipPool, tmp_path: Path) -> None:
    """A second call with the same checkpoint goes on from the steps of the first."""
    made = [load_or_make(WAN_FOLDER, 0, 0, 4, 8) for _ in range(2)]
    checkpoint = tmp_path / "checkpoint.pt"
    state = {"model": made[0].state_dict(), "average": made[1].state_dict(), "steps": 7, "seconds": 5.0}
    save_checkpoint(
        checkpoint, {**state, "optimizers": [optimizer.state_dict() for optimizer in make_optimizers(made[0])]}
    )
    lines = list(train(made[0], made[1], (pool, pool), batch=1, seconds=5.01, checkpoint_path=checkpoint))
    assert len(lines) == 1 and "step      8" in lines[0]


def test_vae_learns_and_is_measured(tmp_path: Path) -> None:
    """A few steps on crops lower the loss; the saved folder loads and its reconstruction can be measured."""
    pool = render_packed(pack_scenes([number_scene("train", number) for number in range(2)]), num_frames=5)
    vae, phase = make_vae(), Phase(end=1.0, batch=2, frames=5, height=32, width=32)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=1e-3)
    video = random_crops(pool, phase, torch.Generator().manual_seed(0))
    assert video.shape == (2, 3, 5, 32, 32) and -1 <= video.min() < video.max() <= 1
    losses = []
    for _ in range(8):
        loss = reconstruction_loss(vae, video, is_bfloat16=False)
        optimizer.zero_grad()
        loss.backward()
        clip_gradients(list(vae.parameters()), 1.0)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    mean, std = measure_latents(vae, pool, num_clips=1)
    assert len(mean) == 16 and min(std) > 0
    vae.eval().half().save_pretrained(tmp_path)
    (ratio,) = measure_psnr(AutoencoderKLWan.from_pretrained(tmp_path, dtype=torch.float32), pool[:1])
    assert 5 < ratio < 25


def test_processes_average_what_they_hold(tmp_path: Path) -> None:
    """Two processes started by torchrun, with 1 and 3, both end with 2; each keeps its shapes and types."""
    script = tmp_path / "average.py"
    script.write_text(
        "import torch\n"
        "from demo.training.steps import average_over_processes, join_processes\n"
        "process, count = join_processes()\n"
        "tensors = [torch.full((2, 3), 1.0 + 2 * process), torch.tensor(1.0 + 2 * process, dtype=torch.float64)]\n"
        "average_over_processes(tensors, torch.bfloat16)\n"
        "assert count == 2 and tensors[0].shape == (2, 3) and tensors[1].dtype == torch.float64\n"
        "assert all((tensor == 2).all() for tensor in tensors), tensors\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert answer.returncode == 0, answer.stderr


def test_bad_gradients_spoil_no_weight() -> None:
    """A gradient that is not a number becomes zero."""
    weight = torch.nn.Parameter(torch.ones(3))
    weight.grad = torch.tensor([1.0, float("nan"), float("inf")])
    clip_gradients([weight], 1.0)
    assert weight.grad.isfinite().all()


def test_checkpoint_and_learning_rate(tmp_path: Path) -> None:
    """A checkpoint comes back as it was, none is an empty one, and the rate rises, then falls to 0."""
    assert load_checkpoint(tmp_path / "none.pt", "cpu") == {}
    save_checkpoint(tmp_path / "checkpoint.pt", {"seconds": 3.0, "weights": {"a": torch.ones(2)}})
    loaded = load_checkpoint(tmp_path / "checkpoint.pt", "cpu")
    assert loaded["seconds"] == 3.0 and torch.equal(loaded["weights"]["a"], torch.ones(2))
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    rates = []
    for progress in (0.0, 0.01, 0.02, 0.5, 1.0):
        set_learning_rate(optimizer, progress, peak=1.0)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates[0] == 0 and rates[1] < rates[2] > rates[3] > rates[4] == pytest.approx(0)


def test_interrupted_training_of_any_network_goes_on(tmp_path: Path) -> None:
    """Weights, optimizer, time and steps come back; a checkpoint that is not due is not written."""
    path = tmp_path / "checkpoint.pt"
    first, second = (torch.nn.Linear(3, 2) for _ in range(2))
    optimizers = [make_adamw(list(network.parameters()), weight_decay=0.01) for network in (first, second)]
    training = Interruptible(path, [first], optimizers[0])
    assert (training.seconds, training.steps) == (0.0, 0)
    set_learning_rate(optimizers[0], 0.5, 0.1)
    first(torch.ones(1, 3)).sum().backward()
    optimizers[0].step()
    training.save(29.0, 7)
    assert not path.exists()
    training.save(30.0, 8)
    again = Interruptible(path, [second], optimizers[1])
    assert (again.seconds, again.steps) == (30.0, 8)
    assert torch.equal(first.weight, second.weight)
    moments = [
        optimizer.state[network.weight]["exp_avg"]
        for network, optimizer in zip((first, second), optimizers, strict=True)
    ]
    assert torch.equal(*moments) and moments[0].abs().sum() > 0


def test_the_shared_lora_that_is_shipped_can_be_trained_again(tmp_path: Path) -> None:
    """By its command, for either kind of mask; a run of the demo's model accepts what it writes."""
    files = identify_models({"model.name": str(ROOT / MODEL_FOLDER)}, tmp_path / "models.json", download=False)
    for mask in ("edit", "first_frame"):
        path = tmp_path / f"{mask}.safetensors"
        sizes = ["--clips", "2", "--samples", "16", "--mask", mask, "--output", str(path)]
        subprocess.run([sys.executable, "-m", "demo.training.shared_lora", *sizes], cwd=ROOT, check=True)
        assert not check_trained_on({mask: path}, files.of("model.name", only=["transformer"]))
        assert check_shared_loras({"whole_frame": path}, None, rank=16)  # of another kind of mask
        assert len(path.with_suffix(".jsonl").read_text().splitlines()) == 2
