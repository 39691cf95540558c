"""A model folder of the HunyuanVideo-1.5 family, made for a test: real classes at tiny size, with random weights."""

import re
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLHunyuanVideo15,
    ClassifierFreeGuidance,
    FlowMatchEulerDiscreteScheduler,
    HunyuanVideo15ImageToVideoPipeline,
    HunyuanVideo15Transformer3DModel,
)
from tokenizers import Regex, Tokenizer, pre_tokenizers
from tokenizers.models import Unigram
from transformers import (
    ByT5Tokenizer,
    PreTrainedTokenizerFast,
    Qwen2_5_VLTextConfig,
    Qwen2_5_VLTextModel,
    SiglipImageProcessor,
    SiglipVisionConfig,
    SiglipVisionModel,
    T5Config,
    T5EncoderModel,
)

CHANNELS, TEXT_WIDTH, GLYPH_WIDTH, PICTURE_WIDTH = 32, 16, 32, 12
PICTURE_SIDE, PATCH = 28, 14
PAD, START, END, UNKNOWN = "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<unk>"
WORDS = r"<\|[^|]*\|>|\w+|[^\w\s]|\n| {4}"  # by which the chat before a prompt has 108 tokens, as in Qwen's
PRINTABLE = [chr(code) for code in range(0x21, 0x7F)]
CHAT = (
    "{% for each in messages %}<|im_start|>{{ each.role }}\n{{ each.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def checkpoint(folder: Path) -> Path:
    """Write a folder in diffusers layout with random weights, always the same."""
    torch.manual_seed(0)
    tokenizer = qwen_tokenizer()
    pipeline = HunyuanVideo15ImageToVideoPipeline(
        text_encoder=_qwen(tokenizer),
        tokenizer=tokenizer,
        transformer=transformer(),
        vae=_vae(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=5.0),
        text_encoder_2=_byt5(),
        tokenizer_2=ByT5Tokenizer(),
        guider=ClassifierFreeGuidance(guidance_scale=6.0),
        image_encoder=_siglip(),
        feature_extractor=SiglipImageProcessor(size={"height": PICTURE_SIDE, "width": PICTURE_SIDE}),
    )
    pipeline.save_pretrained(folder)
    return folder


def transformer(num_heads: int = 2) -> HunyuanVideo15Transformer3DModel:
    """Make a denoiser of two blocks."""
    return HunyuanVideo15Transformer3DModel(
        in_channels=2 * CHANNELS + 1,
        out_channels=CHANNELS,
        num_attention_heads=num_heads,
        attention_head_dim=16,
        num_layers=2,
        num_refiner_layers=1,
        mlp_ratio=2.0,
        text_embed_dim=TEXT_WIDTH,
        text_embed_2_dim=GLYPH_WIDTH,
        image_embed_dim=PICTURE_WIDTH,
        rope_axes_dim=(4, 6, 6),
        target_size=64,
        task_type="i2v",
    )


def qwen_tokenizer() -> PreTrainedTokenizerFast:
    """Build the language model's: words of the system's message whole, any other text by its characters."""
    message = HunyuanVideo15ImageToVideoPipeline._get_mllm_prompt_embeds.__defaults__[2]
    special = (PAD, START, END, UNKNOWN)
    words = dict.fromkeys([*re.findall(WORDS, message), "system", "user", "assistant", "\n"])
    others = [word for word in dict.fromkeys([*words, *PRINTABLE]) if word not in special]
    vocabulary = [(word, -1.0 if word in words else -10.0) for word in (*special, *others)]
    backend = Tokenizer(Unigram(vocabulary, unk_id=special.index(UNKNOWN), byte_fallback=False))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token=UNKNOWN,
        pad_token=PAD,
        additional_special_tokens=[START, END],
        padding_side="right",
        chat_template=CHAT,
    )


def _qwen(tokenizer: PreTrainedTokenizerFast) -> Qwen2_5_VLTextModel:
    rope = {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"}
    config = Qwen2_5_VLTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=2 * TEXT_WIDTH,
        num_hidden_layers=4,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        rope_scaling=rope,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.3,  # with the usual 0.02 words would hardly matter
    )
    return Qwen2_5_VLTextModel(config)


def _byt5() -> T5EncoderModel:
    sizes = {"d_model": GLYPH_WIDTH, "d_kv": 8, "d_ff": 2 * GLYPH_WIDTH, "num_layers": 2, "num_heads": 4}
    return T5EncoderModel(T5Config(vocab_size=384, **sizes))


def _siglip() -> SiglipVisionModel:
    config = SiglipVisionConfig(
        hidden_size=PICTURE_WIDTH,
        intermediate_size=2 * PICTURE_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=PICTURE_SIDE,
        patch_size=PATCH,
    )
    return SiglipVisionModel(config)


def _vae() -> AutoencoderKLHunyuanVideo15:
    widths = (8, 16, 32, 64, 64)
    return AutoencoderKLHunyuanVideo15(latent_channels=CHANNELS, block_out_channels=widths, layers_per_block=1)
