"""A model folder of the HunyuanVideo family, made for a test: the real classes at tiny size, with random weights."""

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLHunyuanVideo,
    FlowMatchEulerDiscreteScheduler,
    HunyuanVideoImageToVideoPipeline,
    HunyuanVideoTransformer3DModel,
)
from transformers import (
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
)

from tests.lib.models.hunyuan_video.tokenizers import (
    CLIP_END,
    CLIP_START,
    IMAGE,
    PAD,
    START,
    clip_tokenizer,
    llava_tokenizer,
)

CHANNELS, TEXT_WIDTH, POOLED_WIDTH = 16, 24, 8
IMAGE_SIDE, PATCH = 336, 14  # of LLaVA's pictures, in pixels: the template counts on 24 x 24 tokens for each


def checkpoint(folder: Path, form: str = "latent_concat") -> Path:
    """Write a folder in diffusers layout with random weights, always the same.

    Args:
        folder: to write to.
        form: one of `lib.models.hunyuan_video.family.FORMS`.
    """
    torch.manual_seed(0)
    tokenizer, tokenizer_2 = llava_tokenizer(), clip_tokenizer()
    pipeline = HunyuanVideoImageToVideoPipeline(
        text_encoder=_llava(tokenizer),
        tokenizer=tokenizer,
        text_encoder_2=_clip(tokenizer_2),
        tokenizer_2=tokenizer_2,
        image_processor=CLIPImageProcessor(
            size={"shortest_edge": IMAGE_SIDE}, crop_size={"height": IMAGE_SIDE, "width": IMAGE_SIDE}
        ),
        transformer=transformer(form),
        vae=_vae(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=7.0),
    )
    pipeline.save_pretrained(folder)
    return folder


def transformer(form: str, num_heads: int = 2) -> HunyuanVideoTransformer3DModel:
    """Make a denoiser of two blocks of each kind."""
    return HunyuanVideoTransformer3DModel(
        in_channels=2 * CHANNELS + 1 if form == "latent_concat" else CHANNELS,
        out_channels=CHANNELS,
        num_attention_heads=num_heads,
        attention_head_dim=16,
        num_layers=2,
        num_single_layers=2,
        num_refiner_layers=1,
        mlp_ratio=2.0,
        guidance_embeds=form == "token_replace",
        text_embed_dim=TEXT_WIDTH,
        pooled_projection_dim=POOLED_WIDTH,
        rope_axes_dim=(4, 6, 6),
        image_condition_type=form,
    )


def _vae() -> AutoencoderKLHunyuanVideo:
    widths = (8, 8, 8, 8)
    return AutoencoderKLHunyuanVideo(
        latent_channels=CHANNELS, block_out_channels=widths, layers_per_block=1, norm_num_groups=4
    )


def _llava(tokenizer) -> LlavaForConditionalGeneration:
    pad, start, image = (tokenizer.convert_tokens_to_ids(token) for token in (PAD, START, IMAGE))
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=2 * TEXT_WIDTH,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        pad_token_id=pad,
        bos_token_id=start,
        eos_token_id=None,
        initializer_range=0.3,  # with the usual 0.02 words would hardly matter
    )
    vision = CLIPVisionConfig(
        hidden_size=8,
        intermediate_size=16,
        num_attention_heads=2,
        num_hidden_layers=3,
        image_size=IMAGE_SIDE,
        patch_size=PATCH,
        projection_dim=8,
        initializer_range=0.3,
    )
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_index=image, pad_token_id=pad)
    return LlavaForConditionalGeneration(config)


def _clip(tokenizer) -> CLIPTextModel:
    start, end = (tokenizer.convert_tokens_to_ids(token) for token in (CLIP_START, CLIP_END))
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=POOLED_WIDTH,
        intermediate_size=2 * POOLED_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=77,
        bos_token_id=start,
        eos_token_id=end,
        pad_token_id=end,
    )
    return CLIPTextModel(config)
