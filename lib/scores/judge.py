"""A local vision-language model as a judge: shown frames of source and edit, asked fixed questions, rated from 1 to 5.

The rating is not what the model writes, but what it would: the expected level under its probabilities of the five
digits, as DeQA-Score does with words. It is asked several times, each time about other frames; the spread between
these answers says how far one of them can be trusted. A judge of this kind is no person: see docs/scores.md.
"""

from statistics import fmean, pstdev
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

from lib.video.arrays import DecodedVideo

QUESTIONS = {
    "judge_motion": "How well does the edited part move as it does in the source?",
    "judge_background": "How well is everything outside the edited part kept as it is in the source?",
    "judge_edit": "How well does the edited part keep the look that it has in the first edited frame?",
}
"""By the name of the score: the paper's two questions to people, and one on the edit itself."""

INSTRUCTION = (
    "Each picture shows a frame of a video, above as it was filmed and below as it was edited; the frames are in order,"
    " and the first one was edited by hand. {question} Answer with one digit from 1 (very badly) to 5 (perfectly)."
)
# Qwen-VL's own form of a talk; its processor class would need torchvision, for videos that are not shown.
TALK = (
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n{pictures}{words}<|im_end|>\n"
    "<|im_start|>assistant\n"
)
PICTURE, PART = "<|vision_start|>{parts}<|vision_end|>", "<|image_pad|>"
LEVELS = "12345"
NUM_FRAMES, NUM_REPEATS = 6, 3


class Judge(NamedTuple):
    """A Qwen-VL model of transformers, in eval mode, and what prepares its inputs."""

    model: Any
    image_processor: Any
    tokenizer: Any
    device: torch.device


def load_judge(name: str, device: torch.device, dtype: torch.dtype, download: bool) -> Judge:
    """Load a model of the Qwen-VL kind from a local folder or hub id; safetensors only, never remote code."""
    local = not download
    model = AutoModelForImageTextToText.from_pretrained(name, use_safetensors=True, local_files_only=local, dtype=dtype)
    image_processor = AutoImageProcessor.from_pretrained(name, local_files_only=local)
    tokenizer = AutoTokenizer.from_pretrained(name, local_files_only=local)
    return Judge(model.requires_grad_(False).eval().to(device), image_processor, tokenizer, device)


def judge_video(judge: Judge, edited: DecodedVideo, source: DecodedVideo) -> dict[str, float]:
    """Ask all questions about an edited video.

    Args:
        judge: of `load_judge`.
        edited, source: (frames, height, width, 3) uint8 RGB.

    Returns:
        For each of QUESTIONS the mean rating over NUM_REPEATS choices of frames, 1 to 5, and under its name with
        `_spread` their standard deviation.
    """
    found: dict[str, float] = {}
    for name, question in QUESTIONS.items():
        ratings = [_rate(judge, question, show_frames(edited, source, repeat)) for repeat in range(NUM_REPEATS)]
        found |= {name: fmean(ratings), f"{name}_spread": pstdev(ratings)}
        print(f"{name}: {', '.join(f'{rating:.2f}' for rating in ratings)}")
    return found


def show_frames(edited: DecodedVideo, source: DecodedVideo, repeat: int) -> list[Image.Image]:
    """Put source above edit: frame 0, then frames spread over the clip, others in each repeat."""
    count = min(NUM_FRAMES, len(edited))
    shift = repeat / NUM_REPEATS
    later = np.linspace(1, len(edited), count, endpoint=True)[:-1] + shift * (len(edited) - 1) / max(1, count - 1)
    chosen = [0, *(min(int(place), len(edited) - 1) for place in later)]
    return [Image.fromarray(np.concatenate([source[index], edited[index]])) for index in dict.fromkeys(chosen)]


@torch.no_grad()
def _rate(judge: Judge, question: str, pictures: list[Image.Image]) -> float:
    """Return the expected level of the answer's first digit."""
    shown = judge.image_processor(images=pictures, return_tensors="pt")
    parts = shown["image_grid_thw"].prod(-1) // judge.image_processor.merge_size**2
    places = "".join(PICTURE.format(parts=PART * int(count)) for count in parts)
    text = TALK.format(pictures=places, words=INSTRUCTION.format(question=question))
    ids = judge.tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"].to(judge.device)
    logits = (
        judge.model(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            mm_token_type_ids=(ids == judge.model.config.image_token_id).long(),
            pixel_values=shown["pixel_values"].to(judge.device, judge.model.dtype),
            image_grid_thw=shown["image_grid_thw"].to(judge.device),
        )
        .logits[0, -1]
        .float()
    )
    digits = [judge.tokenizer.encode(level, add_special_tokens=False)[-1] for level in LEVELS]
    shares = logits[torch.tensor(digits, device=logits.device)].softmax(-1)
    return float((shares * torch.arange(1, 6, device=shares.device)).sum())
