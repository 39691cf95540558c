"""The parts of the 14B model by their published configs, and the demo's model; no library is loaded for them."""

from collections.abc import Mapping
from typing import Any

from lib.core.project import ROOT

DEMO_MODEL = ROOT / "demo" / "models" / "wan2.1-i2v-tiny"
WAN_14B: Mapping[str, Any] = {
    "patch_size": (1, 2, 2),
    "num_attention_heads": 40,
    "attention_head_dim": 128,
    "in_channels": 36,
    "out_channels": 16,
    "text_dim": 4096,
    "freq_dim": 256,
    "ffn_dim": 13824,
    "num_layers": 40,
    "cross_attn_norm": True,
    "qk_norm": "rms_norm_across_heads",
    "eps": 1e-6,
    "image_dim": 1280,
    "added_kv_proj_dim": 5120,
    "rope_max_seq_len": 1024,
}
"""transformer/config.json of Wan-AI/Wan2.1-I2V-14B-480P-Diffusers; 720P has the same."""

CHECKPOINT: Mapping[str, Mapping[str, Any]] = {
    "transformer": WAN_14B,
    "text_encoder": {
        "d_model": 4096,
        "d_ff": 10240,
        "d_kv": 64,
        "num_layers": 24,
        "num_heads": 64,
        "vocab_size": 256384,
        "feed_forward_proj": "gated-gelu",
    },
    "image_encoder": {
        "hidden_size": 1280,
        "intermediate_size": 5120,
        "num_hidden_layers": 32,
        "num_attention_heads": 16,
        "image_size": 224,
        "patch_size": 14,
        "projection_dim": 1024,
        "hidden_act": "gelu",
    },
    "vae": {},  # the class's own defaults
}
"""The parts of Wan-AI/Wan2.1-I2V-14B-480P-Diffusers."""
