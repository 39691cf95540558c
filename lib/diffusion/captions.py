"""Describe a frame in words with Florence-2, the native transformers class."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import AutoProcessor, Florence2ForConditionalGeneration

PREAMBLE = "The image shows "  # what Florence-2 opens with; it describes the picture, not the scene


def load_captioner(name: str, device: torch.device, download: bool) -> tuple[Any, Any]:
    """Load a Florence-2 model and its processor from a local folder or hub id."""
    model = Florence2ForConditionalGeneration.from_pretrained(
        name, dtype=torch.float32, use_safetensors=True, local_files_only=not download
    )
    return model.eval().to(device), AutoProcessor.from_pretrained(name, local_files_only=not download)


@torch.no_grad()
def caption_frame(
    model: Any, processor: Any, frame: NDArray[np.uint8], task: str, num_beams: int, max_new_tokens: int
) -> str:
    """Caption one frame (height, width, 3) uint8 RGB; deterministic (beam search, no sampling)."""
    height, width, _ = frame.shape
    inputs = processor(text=task, images=Image.fromarray(frame), return_tensors="pt").to(model.device)
    tokens = model.generate(**inputs, num_beams=num_beams, max_new_tokens=max_new_tokens, do_sample=False)
    text = processor.batch_decode(tokens, skip_special_tokens=False)[0]
    answer = processor.post_process_generation(text, task=task, image_size=(width, height))[task]
    return clean_caption(str(answer))


def clean_caption(answer: str) -> str:
    """Drop Florence-2's preamble and the special tokens around its answer."""
    for token in ("<pad>", "<s>", "</s>"):
        answer = answer.replace(token, "")
    return answer.strip().removeprefix(PREAMBLE).strip()


def make_prompt(trigger_word: str, caption: str) -> str:
    """Put the trigger word in front of a caption."""
    return f"{trigger_word}, {caption}" if trigger_word else caption
