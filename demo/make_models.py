"""Build the demo's tiny models: `python -m demo.make_models [--output demo/models] [--only NAME ...]`.

Each is a real library class at a tiny size, in the folder layout of its full-size relative. Weights that demo.training
left in the folder are kept; where there are none they are random, from a fixed seed. demo/models/README.md says what
each can do.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from diffusers import (
    AutoencoderKLWan,
    FlowMatchEulerDiscreteScheduler,
    WanImageToVideoPipeline,
    WanTransformer3DModel,
)
from diffusers.models.modeling_utils import ModelMixin
from transformers import (
    CLIPModel,
    CLIPVisionModel,
    Florence2ForConditionalGeneration,
    PreTrainedModel,
    UMT5EncoderModel,
)

from demo.training.captioner import make_captioner, make_captioner_processor
from demo.training.clip import clip_image_processor, clip_vision_config, make_clip, make_clip_processor
from demo.training.clip_pool import NUM_TEXT_TOKENS
from demo.training.detector import make_detector
from demo.training.transformer import TEXT_WIDTH, make_text_encoder, make_transformer
from demo.training.vae import make_vae
from demo.vocabulary import build_tokenizer

SEED = 0


Model = TypeVar("Model", ModelMixin, PreTrainedModel)


def make_wan(folder: Path) -> None:
    """Build a Wan2.1 image-to-video pipeline of about 13 million parameters.

    What demo.training trained is kept if it is in the folder, the image encoder from the CLIP beside it; else it is
    random.
    """
    torch.manual_seed(SEED)
    tokenizer = build_tokenizer(ends=True, starts=False)
    tokenizer.model_max_length = NUM_TEXT_TOKENS
    make_encoder = partial(make_text_encoder, len(tokenizer), TEXT_WIDTH)
    pipeline = WanImageToVideoPipeline(
        tokenizer=tokenizer,
        text_encoder=keep_or_make(UMT5EncoderModel, folder / "text_encoder", make_encoder),
        vae=keep_or_make(AutoencoderKLWan, folder / "vae", make_vae),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=5.0),
        image_processor=clip_image_processor(),
        image_encoder=keep_or_make(CLIPVisionModel, folder.parent / "clip-tiny", make_image_encoder),
        transformer=keep_or_make(WanTransformer3DModel, folder / "transformer", make_transformer),
    )
    pipeline.save_pretrained(folder)


def keep_or_make(kind: type[Model], folder: Path, make: Callable[[], Model]) -> Model:
    """Load the half-precision weights that are in a folder, or make new ones."""
    if (folder / "config.json").exists():
        return kind.from_pretrained(folder, dtype=torch.float16, use_safetensors=True)
    return make().eval().half()


def make_image_encoder() -> CLIPVisionModel:
    """Build an image encoder with random weights, for a Wan folder that has no trained CLIP beside it."""
    return CLIPVisionModel(clip_vision_config())


def build_clip(folder: Path) -> None:
    """Build a CLIP model of about 0.5 million parameters; the one that demo.training trained is kept, else random."""
    keep_or_make(CLIPModel, folder, make_clip).save_pretrained(folder)
    make_clip_processor().save_pretrained(folder)


def build_florence(folder: Path) -> None:
    """Build a Florence-2 captioner of about 1.6 million parameters; a trained one is kept, else random."""
    keep_or_make(Florence2ForConditionalGeneration, folder, make_captioner).save_pretrained(folder)
    make_captioner_processor().save_pretrained(folder)


MODELS: dict[str, Callable[[Path], None]] = {
    "clip-tiny": build_clip,
    "wan2.1-i2v-tiny": make_wan,  # after the CLIP, whose image tower it copies
    "florence-2-tiny": build_florence,
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
