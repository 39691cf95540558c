"""Build the demo's tiny models: `python -m demo.make_models [--output demo/models] [--only NAME ...]`.

Each is a real library class at a tiny size, in the folder layout of its full-size relative, with weights made
here from a fixed seed and stored in half precision. demo/models/README.md says what each can do.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLWan,
    FlowMatchEulerDiscreteScheduler,
    WanImageToVideoPipeline,
    WanTransformer3DModel,
)
from diffusers.models.modeling_utils import ModelMixin
from transformers import (
    BartConfig,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    CLIPTextConfig,
    CLIPVisionConfig,
    CLIPVisionModel,
    Florence2Config,
    Florence2ForConditionalGeneration,
    Florence2Processor,
    UMT5Config,
    UMT5EncoderModel,
)

from demo.captioner_training import train_captioner
from demo.detector_training import make_detector
from demo.training.transformer import make_transformer
from demo.training.vae import make_vae
from demo.vocabulary import END, IMAGE, PAD, SPECIAL_TOKENS, START, build_tokenizer

SEED = 0
CLIP_IMAGE_SIZE = 64  # pixels
FLORENCE_IMAGE_SIZE = 96  # pixels
EMBEDDING_DIM = 64  # of the text and the image encoders


def make_wan(folder: Path) -> None:
    """Build a Wan2.1 image-to-video pipeline of about 13 million parameters.

    The VAE and the transformer that demo.training trained are kept if they are in the folder; else they are random.
    """
    torch.manual_seed(SEED)
    tokenizer = build_tokenizer(ends=True, starts=False)
    text_config = UMT5Config(
        vocab_size=len(tokenizer), d_model=EMBEDDING_DIM, d_kv=16, d_ff=128, num_layers=2, num_heads=4, dropout_rate=0.0
    )
    pipeline = WanImageToVideoPipeline(
        tokenizer=tokenizer,
        text_encoder=UMT5EncoderModel(text_config).eval().half(),
        vae=keep_or_make(AutoencoderKLWan, folder / "vae", make_vae),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=5.0),
        image_processor=clip_image_processor(),
        image_encoder=CLIPVisionModel(clip_vision_config()).eval().half(),
        transformer=keep_or_make(WanTransformer3DModel, folder / "transformer", make_transformer),
    )
    pipeline.save_pretrained(folder)


def keep_or_make(kind: type[ModelMixin], folder: Path, make: Callable[[], ModelMixin]) -> ModelMixin:
    """Load the half-precision weights that are in a folder, or make new ones."""
    if (folder / "config.json").exists():
        return kind.from_pretrained(folder, torch_dtype=torch.float16, use_safetensors=True)
    return make().eval().half()


def make_clip(folder: Path) -> None:
    """Build a CLIP model of about 0.3 million parameters, untrained."""
    torch.manual_seed(SEED)
    tokenizer = build_tokenizer(ends=True, starts=True)
    tokenizer.model_max_length = 77
    text_config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=EMBEDDING_DIM,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=EMBEDDING_DIM,
        **token_ids(),
    )
    config = CLIPConfig(
        text_config=text_config.to_dict(), vision_config=clip_vision_config().to_dict(), projection_dim=EMBEDDING_DIM
    )
    CLIPModel(config).eval().half().save_pretrained(folder)
    CLIPProcessor(clip_image_processor(), tokenizer).save_pretrained(folder)


def clip_vision_config() -> CLIPVisionConfig:
    """Configure a CLIP image encoder of 17 tokens."""
    return CLIPVisionConfig(
        image_size=CLIP_IMAGE_SIZE,
        patch_size=16,
        hidden_size=EMBEDDING_DIM,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=2,
        projection_dim=EMBEDDING_DIM,
    )


def clip_image_processor() -> CLIPImageProcessorPil:
    """Configure CLIP's image processing: the Pillow variant, which needs no torchvision to load."""
    return CLIPImageProcessorPil(
        size={"shortest_edge": CLIP_IMAGE_SIZE}, crop_size={"height": CLIP_IMAGE_SIZE, "width": CLIP_IMAGE_SIZE}
    )


def token_ids() -> dict[str, int]:
    """Name the special tokens' ids as model configurations do."""
    return {
        "pad_token_id": SPECIAL_TOKENS.index(PAD),
        "bos_token_id": SPECIAL_TOKENS.index(START),
        "eos_token_id": SPECIAL_TOKENS.index(END),
    }


def make_florence(folder: Path) -> None:
    """Build a Florence-2 captioner of about 0.5 million parameters and train it on rendered frames."""
    torch.manual_seed(SEED)
    processor = make_florence_processor()
    vision_config = {
        "depths": (1, 1, 1),
        "patch_size": (7, 3, 3),
        "patch_stride": (4, 2, 2),
        "patch_padding": (3, 1, 1),
        "patch_prenorm": (False, True, True),
        "embed_dim": (32, 64, 64),
        "num_heads": (2, 4, 4),
        "num_groups": (2, 4, 4),
        "window_size": 8,
        "drop_path_rate": 0.0,
        "projection_dim": EMBEDDING_DIM,
    }
    text_config = BartConfig(
        vocab_size=len(processor.tokenizer),
        d_model=EMBEDDING_DIM,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=128,
        decoder_ffn_dim=128,
        max_position_embeddings=256,
        dropout=0.0,
        decoder_start_token_id=SPECIAL_TOKENS.index(END),
        forced_eos_token_id=SPECIAL_TOKENS.index(END),
        **token_ids(),
    )
    config = Florence2Config(
        text_config=text_config.to_dict(),
        vision_config=vision_config,
        image_token_id=SPECIAL_TOKENS.index(IMAGE),
        decoder_start_token_id=SPECIAL_TOKENS.index(END),
        **token_ids(),
    )
    model = Florence2ForConditionalGeneration(config)
    loss = train_captioner(model, processor)
    print(f"captioner: loss {loss:.2f} nats per token")
    model.half().save_pretrained(folder)
    processor.save_pretrained(folder)


def make_florence_processor() -> Florence2Processor:
    """Assemble Florence-2's processor around the shared tokenizer."""
    tokenizer = build_tokenizer(ends=True, starts=False)
    tokenizer.model_max_length = 256
    image_processor = CLIPImageProcessorPil(
        size={"height": FLORENCE_IMAGE_SIZE, "width": FLORENCE_IMAGE_SIZE},
        do_center_crop=False,
        image_seq_length=(FLORENCE_IMAGE_SIZE // 16) ** 2 + 1,  # a token per 16 x 16 pixels and their mean
    )
    # post_process_generation looks up its kind of answer here and raises where the key is missing.
    answer_kinds = ("pure_text", "ocr", "description_with_bboxes", "phrase_grounding", "polygons", "bboxes")
    return Florence2Processor(
        image_processor=image_processor,
        tokenizer=tokenizer,
        post_processor_config={kind: {} for kind in answer_kinds},
    )


MODELS: dict[str, Callable[[Path], None]] = {
    "wan2.1-i2v-tiny": make_wan,
    "florence-2-tiny": make_florence,
    "clip-tiny": make_clip,
    "yolo11-tiny": make_detector,
}


def main() -> None:
    """Build the models asked for, all of them by default."""
    parser = argparse.ArgumentParser(description="Build the demo's tiny models.")
    parser.add_argument("--output", type=Path, default=Path("demo/models"), help="folder to write")
    parser.add_argument("--only", nargs="+", choices=list(MODELS), default=list(MODELS), help="build only these")
    arguments = parser.parse_args()
    for name in arguments.only:
        MODELS[name](arguments.output / name)
        num_bytes = sum(path.stat().st_size for path in (arguments.output / name).rglob("*") if path.is_file())
        print(f"{arguments.output / name}: {num_bytes / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
