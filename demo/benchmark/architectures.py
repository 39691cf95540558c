"""The families' denoisers, and all parts of the 14B model, by their published configs; no library is loaded here."""

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

WAN22_A14B: Mapping[str, Any] = {**WAN_14B, "image_dim": None, "added_kv_proj_dim": None}
"""Each expert of Wan-AI/Wan2.2-I2V-A14B-Diffusers."""

WAN22_TI2V: Mapping[str, Any] = {
    **WAN22_A14B,
    "num_attention_heads": 24,
    "in_channels": 48,
    "out_channels": 48,
    "ffn_dim": 14336,
    "num_layers": 30,
}
"""Wan-AI/Wan2.2-TI2V-5B-Diffusers."""

HUNYUAN_VIDEO: Mapping[str, Any] = {
    "in_channels": 16,
    "out_channels": 16,
    "num_attention_heads": 24,
    "attention_head_dim": 128,
    "num_layers": 20,
    "num_single_layers": 40,
    "num_refiner_layers": 2,
    "mlp_ratio": 4.0,
    "patch_size": 2,
    "patch_size_t": 1,
    "qk_norm": "rms_norm",
    "guidance_embeds": True,
    "text_embed_dim": 4096,
    "pooled_projection_dim": 768,
    "rope_theta": 256.0,
    "rope_axes_dim": (16, 56, 56),
    "image_condition_type": "token_replace",
}
"""hunyuanvideo-community/HunyuanVideo-I2V, the form released last; that of 33 channels has another first layer."""

HUNYUAN_VIDEO_15: Mapping[str, Any] = {
    "in_channels": 65,
    "out_channels": 32,
    "num_attention_heads": 16,
    "attention_head_dim": 128,
    "num_layers": 54,
    "num_refiner_layers": 2,
    "mlp_ratio": 4.0,
    "patch_size": 1,
    "patch_size_t": 1,
    "qk_norm": "rms_norm",
    "text_embed_dim": 3584,
    "text_embed_2_dim": 1472,
    "image_embed_dim": 1152,
    "rope_theta": 256.0,
    "rope_axes_dim": (16, 56, 56),
    "target_size": 640,
    "task_type": "i2v",
    "use_meanflow": False,
}
"""hunyuanvideo-community/HunyuanVideo-1.5-480p_i2v."""

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
