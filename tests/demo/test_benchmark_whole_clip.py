"""The benchmark of a whole clip, at a size that a CPU can do."""

import re
from pathlib import Path

import pytest
import torch

from demo.benchmark import checkpoint
from demo.benchmark.__main__ import TINY as TINY_TRANSFORMER
from demo.benchmark.architectures import CHECKPOINT, WAN_14B
from demo.benchmark.checkpoint import write_checkpoint
from demo.benchmark.whole_clip import draw_clip, main
from lib.diffusion.conditioning import make_keep_mask, put_first
from lib.models.load import COMPONENTS, load_model
from lib.video.arrays import to_model_video


def test_each_part_of_each_stage_has_its_seconds(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The stages run as processes, on the demo's model, and the shares are of the sum."""
    main(["--tiny", "--work", str(tmp_path), "--steps", "2", "--denoising-steps", "2"])
    table = capfd.readouterr().out
    rows = re.findall(r"^\| (\w+) \| ([^|]+) \| ([0-9.]+) \| (\d+)% \|$", table, re.MULTILINE)
    assert [stage for stage, _, _, _ in rows] == ["encode"] * 3 + ["train"] * 4 + ["generate"] * 4
    whole = float(re.findall(r"^\| all \| \| ([0-9.]+) \| \|$", table, re.MULTILINE)[0])
    assert sum(float(seconds) for _, _, seconds, _ in rows) == pytest.approx(whole, abs=0.6)
    assert (tmp_path / "lora.safetensors").exists()


@pytest.mark.parametrize("shard_size", ["5GB", "500KB"])
def test_the_checkpoint_loads_as_a_published_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shard_size: str
) -> None:
    """Layout and classes are those of the 14B model, at a toy's size, in one file or more, written once."""
    monkeypatch.setattr(checkpoint, "SHARD_SIZE", shard_size)
    width = 32
    config = {
        **CHECKPOINT,
        "transformer": {**WAN_14B, **TINY_TRANSFORMER, "text_dim": width, "image_dim": width},
        "text_encoder": {**CHECKPOINT["text_encoder"], "d_model": width, "d_ff": 64, "num_layers": 2, "num_heads": 2},
        "image_encoder": {
            **CHECKPOINT["image_encoder"],
            "hidden_size": width,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
        },
        "vae": {"base_dim": 8},
    }
    write_checkpoint(tmp_path, config)
    assert (len(list((tmp_path / "transformer").glob("*.safetensors"))) > 1) == (shard_size != "5GB")
    written = (tmp_path / "model_index.json").stat().st_mtime_ns
    write_checkpoint(tmp_path, config)
    assert (tmp_path / "model_index.json").stat().st_mtime_ns == written
    model = load_model(tmp_path, COMPONENTS, device=torch.device("cpu"), dtype=torch.float32)
    clip = draw_clip(5, 32, 48)
    video, keep = to_model_video(clip.source_video), make_keep_mask("edit", clip.edit_mask, model.frame_stride)
    conditioning = model.encode_conditioning("a disc", put_first(video[:, :, :1], video), keep, video[:, :, :1])
    assert conditioning["prompt_embeds"].shape == (1, 512, width)
    assert conditioning["image_embeds"].shape == (1, 257, width)
    velocity = model.predict_velocity(model.encode_video(video), torch.tensor([0.5]), conditioning)
    assert velocity.shape == (1, 16, 2, 4, 6)
