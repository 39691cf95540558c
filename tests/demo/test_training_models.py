"""The training commands run at tiny size on the CPU, go on after an interruption, and write loadable folders."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from PIL import Image
from transformers import AutoImageProcessor

from demo.training.clip_pool import NUM_TEXT_TOKENS, ClipPool, encode_pool, encode_prompts, preprocess_frames
from demo.training.steps import clip_gradients, load_checkpoint, save_checkpoint, set_learning_rate
from demo.training.transformer import flow_matching_loss
from demo.training.vae import Phase, make_vae, measure_latents, measure_psnr, random_crops, reconstruction_loss
from demo.world import number_scene, pack_scenes, render_packed
from lib.conditioning import make_condition_video, make_keep_mask
from lib.models import load_model

WAN_FOLDER = Path(__file__).parents[2] / "demo/models/wan2.1-i2v-tiny"


@pytest.fixture(scope="module")
def pool() -> ClipPool:
    """Encode two clips of five frames with the demo's encoders."""
    scenes = [number_scene("train", number) for number in range(2)]
    return encode_pool(WAN_FOLDER, scenes, pack_scenes(scenes), num_frames=5, device="cpu")


def test_pool_holds_what_the_adapter_encodes(pool: ClipPool) -> None:
    """Latents, condition, image context, prompt and packed mask are those that lib gives the transformer."""
    model = load_model(WAN_FOLDER, {"vae", "encoders"}, device=torch.device("cpu"), dtype=torch.float32)
    scene = number_scene("train", 1)
    video = render_packed(pack_scenes([scene]), num_frames=5).float() / 127.5 - 1
    keep_mask = make_keep_mask("first_frame", np.zeros((5, 96, 160), np.bool_), frame_stride=4)
    condition_video = make_condition_video(video[:, :, :1], video, keep_mask)
    prompt_embeds = encode_prompts(WAN_FOLDER, [["p3rs0n, a red star."]], "cpu")[0]
    expected = model.encode_conditioning("p3rs0n, a red star.", condition_video, keep_mask, video[:, :, :1])
    assert torch.allclose(pool.latents[1:], model.encode_video(video), atol=1e-3)
    assert torch.allclose(pool.condition_latents[1:], expected["condition_latents"], atol=1e-3)
    assert torch.equal(pool.packed_mask, expected["packed_mask"])
    assert torch.allclose(prompt_embeds, expected["prompt_embeds"][:, :NUM_TEXT_TOKENS], atol=1e-5)
    assert (pool.image_embeds[1] - expected["image_embeds"][0]).abs().mean() < 0.02  # resizing rounds differently


def test_preprocessing_matches_the_processor() -> None:
    """Frames processed on the device are what CLIP's own processor makes of them, up to one grey level or two."""
    processor = AutoImageProcessor.from_pretrained(WAN_FOLDER, subfolder="image_processor")
    for is_portrait in (False, True):
        frame = render_packed(pack_scenes([number_scene("train", 3, is_portrait)]), num_frames=1)[:, :, 0]
        image = Image.fromarray(frame[0].permute(1, 2, 0).numpy())
        expected = processor(images=image, return_tensors="pt").pixel_values
        assert (preprocess_frames(frame, processor) - expected).abs().max() < 0.05


def test_transformer_learns_from_the_pool(pool: ClipPool) -> None:
    """A few steps lower the loss, and every weight but the unused ones gets a gradient."""
    torch.manual_seed(0)
    transformer = WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=2,
        attention_head_dim=16,
        in_channels=36,
        out_channels=16,
        text_dim=64,
        ffn_dim=64,
        num_layers=1,
        image_dim=64,
        added_kv_proj_dim=32,
    )
    optimizer = torch.optim.AdamW(transformer.parameters(), lr=3e-3)
    empty_prompt = torch.zeros(1, NUM_TEXT_TOKENS, 64)
    losses = []
    for _ in range(20):
        loss = flow_matching_loss(transformer, pool, empty_prompt, batch=4)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.95 * sum(losses[:5])
    assert transformer.patch_embedding.weight.grad[:, 16:].abs().sum() > 0  # mask and condition are used


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
    (ratio,) = measure_psnr(AutoencoderKLWan.from_pretrained(tmp_path, torch_dtype=torch.float32), pool[:1])
    assert 5 < ratio < 25


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
