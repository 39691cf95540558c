"""The tokenizer that the demo's models share, built offline from the words of the scenes' captions."""

import re

import numpy as np
from tokenizers import Tokenizer, decoders, pre_tokenizers, processors
from tokenizers.models import Unigram
from transformers import PreTrainedTokenizerFast

from demo.world.captions import caption
from demo.world.random_scenes import random_scene

PAD, END, UNKNOWN, START, IMAGE = "<pad>", "</s>", "<unk>", "<s>", "<image>"
# The first five token ids. Padding is 0 and the end is 1, as in T5.
SPECIAL_TOKENS = (PAD, END, UNKNOWN, START, IMAGE)

# What Florence-2's processor asks for a detailed caption, and how its answers open.
FLORENCE_PHRASES = ("Describe in detail what is shown in the image.", "The image shows")
NUM_SAMPLED_CAPTIONS = 1000  # enough for every word of the captions to turn up


def caption_words() -> list[str]:
    """Collect the words of the scenes' captions, sorted."""
    generator = np.random.default_rng(0)
    texts = [caption(random_scene(generator)) for _ in range(NUM_SAMPLED_CAPTIONS)]
    texts += FLORENCE_PHRASES
    return sorted({word for text in texts for word in re.findall(r"\w+", text)})


def build_tokenizer(ends: bool, starts: bool) -> PreTrainedTokenizerFast:
    """Build a T5-style tokenizer: one token for each known word, characters and bytes for anything else.

    Args:
        ends: append END to each text, as T5 and CLIP do.
        starts: also put START before it, as CLIP does.
    """
    printable = [chr(code) for code in range(0x21, 0x7F)]
    # Unigram keeps the split with the highest sum of scores (log probabilities), so a word beats its letters.
    vocabulary = [(token, 0.0) for token in SPECIAL_TOKENS]
    vocabulary += [(f"▁{word}", -1.0) for word in caption_words()]
    vocabulary += [(character, -10.0) for character in ["▁", *printable]]
    vocabulary += [(f"<0x{byte:02X}>", -20.0) for byte in range(256)]
    backend = Tokenizer(Unigram(vocabulary, unk_id=SPECIAL_TOKENS.index(UNKNOWN), byte_fallback=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    template = f"{START if starts else ''} $A {END if ends else ''}".strip()
    backend.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[(token, SPECIAL_TOKENS.index(token)) for token in (START, END)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=START,
        eos_token=END,
        unk_token=UNKNOWN,
        pad_token=PAD,
        extra_special_tokens={"image_token": IMAGE},  # Florence-2 stands its image features in for this token
    )


def token_ids() -> dict[str, int]:
    """Name the special tokens' ids as model configurations do."""
    return {
        "pad_token_id": SPECIAL_TOKENS.index(PAD),
        "bos_token_id": SPECIAL_TOKENS.index(START),
        "eos_token_id": SPECIAL_TOKENS.index(END),
    }
