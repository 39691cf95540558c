"""The prompt as HunyuanVideo reads it: by LLaVA, beside the first frame, and by CLIP."""

from typing import Any

import torch
from diffusers.pipelines.hunyuan_video.pipeline_hunyuan_video_image2video import DEFAULT_PROMPT_TEMPLATE
from diffusers.video_processor import VideoProcessor
from PIL import Image

from lib.core.errors import InputError, Problem

IMAGE_TOKENS_KEPT = {"latent_concat": 2, "token_replace": 4}  # one in so many, by form (the pipeline's own)
WITHOUT_IMAGE_KEPT = 2  # of guidance's other pass, in either form (the pipeline's own)
BLACK_SIDE = 64  # pixels; the image processor makes a black picture of any size the same
NUM_HEADERS = 3  # in the prompt's template: of system, user and assistant


def encode_text(
    pipeline: Any, prompt: str, first_frame: torch.Tensor | None, form: str, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Encode a prompt with diffusers' own code, and leave its padding out.

    Args:
        pipeline: a HunyuanVideo image-to-video pipeline with encoders, tokenizers and image processor.
        prompt: text.
        first_frame: model video (1, 3, 1, height, width); None: black, as for the pipeline's negative prompt.
        form: one of `lib.models.hunyuan_video.family.FORMS`.
        device: where the encoders are.

    Returns:
        LLaVA's states (1, tokens, width), the picture's before the text's, and CLIP's pooled state (1, width).
    """
    if first_frame is None:
        picture, kept = Image.new("RGB", (BLACK_SIDE, BLACK_SIDE), 0), WITHOUT_IMAGE_KEPT
    else:
        _, _, frames, _, _ = first_frame.shape
        assert frames == 1
        (picture,), kept = VideoProcessor().postprocess(first_frame[:, :, 0].cpu()), IMAGE_TOKENS_KEPT[form]
    states, pooled, is_text = pipeline.encode_prompt(
        image=picture, prompt=prompt, device=device, image_embed_interleave=kept
    )
    length = int(is_text.sum())
    assert bool(is_text[:, :length].all()), "padding stands after the text"
    return states[:, :length], pooled


def check_tokenizer(tokenizer: Any, image_token: int, name: str) -> None:
    """Hold a tokenizer against the template that prompts are put in: the picture's place in it is counted in tokens.

    Args:
        tokenizer: LLaVA's.
        image_token: that stands for a picture.
        name: of the model, for errors.

    Raises:
        InputError: it splits the template in another way than HunyuanVideo's.
    """
    place = DEFAULT_PROMPT_TEMPLATE["image_emb_start"]
    tokens = tokenizer(DEFAULT_PROMPT_TEMPLATE["template"]).input_ids
    headers = tokens.count(tokenizer.convert_tokens_to_ids("<|end_header_id|>"))
    places = [index for index, token in enumerate(tokens) if token == image_token]
    if places != [place] or headers != NUM_HEADERS:
        found = f"a tokenizer that puts the picture at {places} and finds {headers} headers in the prompt's template"
        expected = f"HunyuanVideo's own, with the picture at [{place}] and {NUM_HEADERS} headers"
        raise InputError([Problem(f"{name}/tokenizer", found, expected)])
