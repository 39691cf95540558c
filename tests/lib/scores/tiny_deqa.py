"""A tiny DeQA-Score checkpoint of numbers anybody can draw again, in the published form, and what the original says."""

import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lib.scores.deqa.scorer import DeqaConfig, DeqaScore, read_config

SIDE = 56
CONFIG = {
    "vocab_size": 32000,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "rms_norm_eps": 1e-6,
    "visual_config": {
        "visual_model": {
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "image_size": SIDE,
            "patch_size": 14,
            "num_channels": 3,
            "layer_norm_eps": 1e-6,
        },
        "visual_abstractor": {
            "num_learnable_queries": 6,
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 48,
            "layer_norm_eps": 1e-6,
            "encoder_hidden_size": 32,
            "grid_size": 4,
        },
    },
}


def write_published(folder: Path) -> DeqaConfig:
    """Write config.json and one shard of pickled tensors, as the weights are published."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    config = read_config(folder)
    generator = np.random.default_rng(0)
    weights = {}
    for name, weight in sorted(DeqaScore(config).state_dict().items()):
        drawn = generator.standard_normal(tuple(weight.shape)) * (0.3 if weight.ndim < 2 else 0.15)
        is_scale = name.endswith("weight") and weight.ndim == 1
        weights[name] = torch.from_numpy(drawn + is_scale).float()
    width = config.vision.hidden_size
    weights["model.visual_abstractor.encoder.layers.0.crossattention.attention.k_pos_embed"] = torch.zeros(17, width)
    torch.save(weights, folder / "pytorch_model-00001-of-00001.bin")
    return config


def draw_frames() -> NDArray[np.uint8]:
    """Draw three wide frames: noise, one colour, and a ramp."""
    frames = np.random.default_rng(1).integers(0, 255, (3, 40, 60, 3), np.uint8)
    frames[1] = 128
    frames[2] = np.linspace(0, 255, 60).astype(np.uint8)[None, :, None]
    return frames
