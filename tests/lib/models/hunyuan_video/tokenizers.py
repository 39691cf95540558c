"""Tokenizers for a tiny HunyuanVideo: words of LLaVA's prompt template whole, and any other text by its characters."""

import re
from pathlib import Path

from diffusers.pipelines.hunyuan_video.pipeline_hunyuan_video_image2video import DEFAULT_PROMPT_TEMPLATE
from tokenizers import Regex, Tokenizer, pre_tokenizers, processors
from tokenizers.models import Unigram
from transformers import CLIPTokenizer, PreTrainedTokenizerFast

PAD, START, UNKNOWN, IMAGE = "<pad>", "<|begin_of_text|>", "<unk>", "<image>"
HEADERS = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
SPECIAL_TOKENS = (PAD, START, UNKNOWN, IMAGE, *HEADERS)
WORDS = r"<\|[^|]*\|>|<image>|environ(?=ment)|\w+|[^\w\s]|\n\n|\n"  # one split word makes the template 103 tokens long
PRINTABLE = [chr(code) for code in range(0x21, 0x7F)]
CLIP_START, CLIP_END = "<|startoftext|>", "<|endoftext|>"


def llava_tokenizer() -> PreTrainedTokenizerFast:
    """Build LLaVA's: the special tokens first, a START before each text."""
    words = dict.fromkeys(re.findall(WORDS, DEFAULT_PROMPT_TEMPLATE["template"]))
    others = [word for word in (*words, *PRINTABLE) if word not in SPECIAL_TOKENS]
    vocabulary = [(word, -1.0 if word in words else -10.0) for word in (*SPECIAL_TOKENS, *dict.fromkeys(others))]
    backend = Tokenizer(Unigram(vocabulary, unk_id=SPECIAL_TOKENS.index(UNKNOWN), byte_fallback=False))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True)
    backend.post_processor = processors.TemplateProcessing(
        single=f"{START} $A", special_tokens=[(START, SPECIAL_TOKENS.index(START))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=START,
        unk_token=UNKNOWN,
        pad_token=PAD,
        additional_special_tokens=[IMAGE, *HEADERS],
        padding_side="right",
    )


def clip_tokenizer() -> CLIPTokenizer:
    """Build CLIP's, of characters."""
    characters = [character + end for end in ("", "</w>") for character in PRINTABLE]
    tokens = [CLIP_START, CLIP_END, *characters]
    return CLIPTokenizer({token: number for number, token in enumerate(tokens)}, merges=[], model_max_length=77)


def token_id(folder: Path, token: str) -> int:
    """Return the number of a token of a saved tokenizer."""
    number = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True).convert_tokens_to_ids(token)
    assert isinstance(number, int)
    return number
