"""A tiny Qwen-Image-Edit of random weights, saved as the published ones are; its processor needs torchvision."""

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    QwenImageEditPipeline,
    QwenImageEditPlusPipeline,
    QwenImageTransformer2DModel,
)
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen2VLImageProcessor,
    Qwen2VLProcessor,
    Qwen2VLVideoProcessor,
)

WIDTH = 16  # of the text encoder
Z_DIM = 4  # channels of the latents
MARKS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"]
VIDEO = "<|video_pad|>"


def qwen_tokenizer() -> Qwen2Tokenizer:
    """Make one that knows single bytes and the marks of the template."""
    words = [*sorted(ByteLevel.alphabet()), *MARKS, VIDEO]
    vocabulary = {word: number for number, word in enumerate(words)}
    return Qwen2Tokenizer(vocabulary, [], additional_special_tokens=[*MARKS, VIDEO], model_max_length=4096)


def save_qwen(folder: Path, several_pictures: bool) -> None:
    """Write the folder of a QwenImageEditPipeline or QwenImageEditPlusPipeline; sides of pictures divide by 16."""
    torch.manual_seed(0)
    tokenizer = qwen_tokenizer()
    of = {name: tokenizer.convert_tokens_to_ids(f"<|{name}|>") for name in ("image_pad", "video_pad")}
    starts, ends = (tokenizer.convert_tokens_to_ids(f"<|vision_{name}|>") for name in ("start", "end"))
    size = {"hidden_size": WIDTH, "intermediate_size": WIDTH}
    config = Qwen2_5_VLConfig(
        text_config={
            **size,
            "vocab_size": len(tokenizer),
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"},
            "rope_theta": 1000000.0,
        },
        vision_config={**size, "depth": 2, "num_heads": 2, "out_hidden_size": WIDTH},
        image_token_id=of["image_pad"],
        video_token_id=of["video_pad"],
        vision_start_token_id=starts,
        vision_end_token_id=ends,
    )
    vae = AutoencoderKLQwenImage(
        base_dim=24,
        z_dim=Z_DIM,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=[0.0] * Z_DIM,
        latents_std=[1.0] * Z_DIM,
    )
    transformer = QwenImageTransformer2DModel(
        patch_size=2,
        in_channels=4 * Z_DIM,
        out_channels=Z_DIM,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=3,
        joint_attention_dim=WIDTH,
        guidance_embeds=False,
        axes_dims_rope=(8, 4, 4),
    )
    kind = QwenImageEditPlusPipeline if several_pictures else QwenImageEditPipeline
    kind(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=vae.eval(),
        text_encoder=Qwen2_5_VLForConditionalGeneration(config).eval(),
        tokenizer=tokenizer,
        processor=Qwen2VLProcessor(Qwen2VLImageProcessor(), tokenizer, Qwen2VLVideoProcessor()),
        transformer=transformer.eval(),
    ).save_pretrained(folder)
