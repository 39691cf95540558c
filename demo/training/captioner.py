"""Train the demo's Florence-2 captioner on one GPU: `python -m demo.training.captioner --output FOLDER --seconds 100`.

It learns to name what first frames show, from left to right. Beside the caption's words, two layers that are thrown
away afterwards must tell each figure, and its place in that order, from the image token at its centre: captions alone
say nothing of where to look, and a small model would take very long to find out.
"""

import argparse
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from transformers import (
    BartConfig,
    CLIPImageProcessorPil,
    Florence2Config,
    Florence2ForConditionalGeneration,
    Florence2Processor,
)

from demo.training.frame_pool import PIXEL_NOISE, FramePool, first_frame_caption, normalise_frames, render_pool
from demo.training.perception import GRID, FigureHead, initialise_by_width, locate_figures, repeat_step
from demo.training.steps import Interruptible, clip_gradients, make_adamw, prepare_gpu
from demo.vocabulary import END, IMAGE, SPECIAL_TOKENS, build_tokenizer, token_ids
from demo.world.scenes import COLOURS
from demo.world.shapes import SHAPES

TASK = "<DETAILED_CAPTION>"
PREAMBLE = "The image shows"  # Florence-2's answers to this task open so
IMAGE_SIZE = 128  # pixels; frames are squashed to squares, and every 16 x 16 pixels become an image token
WIDTH = 128  # of the text model
NUM_ANSWER_TOKENS = 64  # the longest caption, of four figures with stripes and marks each, has fewer
PEAK_LEARNING_RATE = 2e-3
GRADIENT_CLIP = 1.0


def make_captioner() -> Florence2ForConditionalGeneration:
    """Build a Florence-2 of 1.6 million parameters."""
    torch.manual_seed(0)
    end = SPECIAL_TOKENS.index(END)
    text_config = BartConfig(
        vocab_size=len(build_tokenizer(ends=True, starts=False)),
        d_model=WIDTH,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=2 * WIDTH,
        decoder_ffn_dim=2 * WIDTH,
        max_position_embeddings=256,
        dropout=0.0,
        decoder_start_token_id=end,
        forced_eos_token_id=end,
        **token_ids(),
    )
    config = Florence2Config(
        text_config=text_config.to_dict(),
        vision_config=vision_config(),
        image_token_id=SPECIAL_TOKENS.index(IMAGE),
        decoder_start_token_id=end,
        **token_ids(),
    )
    model = Florence2ForConditionalGeneration(config)
    initialise_by_width(model, WIDTH)
    return model


def vision_config() -> dict[str, Any]:
    """Configure the image tower: a token for each of GRID x GRID cells."""
    return {
        "depths": (1, 1, 1),
        "patch_size": (7, 3, 3),
        "patch_stride": (4, 2, 2),
        "patch_padding": (3, 1, 1),
        "patch_prenorm": (False, True, True),
        "embed_dim": (48, 96, 128),
        "num_heads": (2, 4, 4),
        "num_groups": (2, 4, 4),
        "window_size": 8,
        "drop_path_rate": 0.0,
        "projection_dim": WIDTH,
    }


def make_captioner_processor() -> Florence2Processor:
    """Assemble Florence-2's processor around the shared tokenizer."""
    tokenizer = build_tokenizer(ends=True, starts=False)
    tokenizer.model_max_length = 256
    image_processor = CLIPImageProcessorPil(
        size={"height": IMAGE_SIZE, "width": IMAGE_SIZE},
        do_center_crop=False,
        image_seq_length=GRID**2 + 1,  # a token for each cell and their mean
    )
    # post_process_generation looks up its kind of answer here and raises where the key is missing.
    answer_kinds = ("pure_text", "ocr", "description_with_bboxes", "phrase_grounding", "polygons", "bboxes")
    return Florence2Processor(
        image_processor=image_processor,
        tokenizer=tokenizer,
        post_processor_config={kind: {} for kind in answer_kinds},
    )


@dataclass(frozen=True)
class Lessons:
    """What the captioner learns from, on the device to train on.

    Attributes:
        frames: (samples, 3, IMAGE_SIZE, IMAGE_SIZE) uint8.
        answers: (samples, tokens) token ids, from the decoder's start token (END, as in BART) to END, padded.
        cells, kinds: of the figures, see `locate_figures`.
    """

    frames: torch.Tensor
    answers: torch.Tensor
    cells: torch.Tensor
    kinds: torch.Tensor


def make_lessons(pool: FramePool, processor: Florence2Processor) -> Lessons:
    """Tokenise the captions of a pool and locate its figures."""
    start = processor.tokenizer.eos_token
    captions = [f"{start}{PREAMBLE} {first_frame_caption(scene)}" for scene in pool.scenes]
    answers = processor.tokenizer(captions, padding=True, return_tensors="pt").input_ids
    assert answers.shape[1] <= NUM_ANSWER_TOKENS, f"a caption of {answers.shape[1]} tokens"
    cells, kinds = locate_figures(pool.scenes)
    device = pool.frames.device
    return Lessons(pool.frames, answers.to(device), cells.to(device), kinds.to(device))


def answer_logits(
    model: Florence2ForConditionalGeneration, inputs: torch.Tensor, prompt: torch.Tensor, answers: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Do what the library's forward does, without those of its checks that make the CPU wait for the GPU.

    Args:
        model: the captioner.
        inputs: (batch, 3, IMAGE_SIZE, IMAGE_SIZE), normalised.
        prompt: (1, tokens) ids of the task's words, which follow the image tokens.
        answers: (batch, tokens) ids that the decoder has seen.

    Returns:
        Logits of the next tokens, (batch, tokens, words), and the tokens of the cells, (batch, cells, WIDTH), as the
        image tower gives them and as the text model's encoder does.
    """
    image_tokens = model.get_image_features(inputs).pooler_output  # the first is the mean of the others
    prompt_embeds = model.get_input_embeddings()(prompt).expand(len(inputs), -1, -1)
    text_model = model.model.language_model
    inputs_embeds = torch.cat([image_tokens, prompt_embeds.to(image_tokens)], dim=1)
    encoded = text_model.encoder(inputs_embeds=inputs_embeds).last_hidden_state
    batch, num_tokens = answers.shape
    # A whole mask: the library would make one itself, and look at its values on the way.
    is_earlier = torch.ones(num_tokens, num_tokens, dtype=torch.bool, device=answers.device).tril()
    decoded = text_model.decoder(
        input_ids=answers,
        attention_mask=is_earlier.expand(batch, 1, -1, -1),
        encoder_hidden_states=encoded,
        use_cache=False,
    ).last_hidden_state
    return model.lm_head(decoded), image_tokens[:, 1 : 1 + GRID**2], encoded[:, 1 : 1 + GRID**2]


def captioning_loss(
    model: Florence2ForConditionalGeneration,
    heads: Sequence[FigureHead],
    processor: Florence2Processor,
    lessons: Lessons,
    prompt: torch.Tensor,
    batch: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the cross-entropy of random captions, in nats per token, and the two heads' loss of the same frames."""
    device = lessons.frames.device
    chosen = torch.randint(len(lessons.frames), (batch,), device=device)
    answers = lessons.answers[chosen]
    inputs = normalise_frames(lessons.frames[chosen], processor.image_processor, noise=PIXEL_NOISE)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda", cache_enabled=False):
        logits, *cell_tokens = answer_logits(model, inputs, prompt, answers[:, :-1])
        figures = lessons.cells[chosen], lessons.kinds[chosen]
        head_losses = [head.loss(tokens, *figures) for head, tokens in zip(heads, cell_tokens, strict=True)]
    padding = SPECIAL_TOKENS.index("<pad>")
    word_loss = F.cross_entropy(logits.float().flatten(0, 1), answers[:, 1:].flatten(), ignore_index=padding)
    return word_loss, torch.stack(head_losses).sum()


def prompt_ids(processor: Florence2Processor, device: str) -> torch.Tensor:
    """Tokenise the task as the processor does, without the image tokens: (1, tokens)."""
    frame = np.zeros((IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    ids: torch.Tensor = processor(text=TASK, images=frame, return_tensors="pt").input_ids
    assert bool((ids[:, : processor.num_image_tokens] == SPECIAL_TOKENS.index(IMAGE)).all())
    return ids[:, processor.num_image_tokens :].to(device)


def train(
    model: Florence2ForConditionalGeneration,
    processor: Florence2Processor,
    lessons: Lessons,
    batch: int,
    seconds: float,
    is_recorded: bool = True,
    checkpoint_path: Path | None = None,
) -> Iterator[str]:
    """Train in place; yields lines for the log.

    Args:
        model: on the lessons' device, in float32; computes in bfloat16 on a GPU.
        processor: the model's.
        lessons: what to draw from.
        batch: frames a step.
        seconds: of training.
        is_recorded: record the step as a CUDA graph, where there is a GPU.
        checkpoint_path: of the state after an interruption; None: keep none.
    """
    device = str(lessons.frames.device)
    heads = [FigureHead(WIDTH).to(device) for _ in range(2)]
    parameters = [parameter for module in (model, *heads) for parameter in module.parameters()]
    optimizer = make_adamw(parameters, weight_decay=0.01)
    training = Interruptible(checkpoint_path, [model, *heads], optimizer)
    prompt = prompt_ids(processor, device)
    model.eval()  # without dropout the two modes differ only in a draw on the CPU, which a CUDA graph cannot hold

    def step() -> torch.Tensor:
        losses = torch.stack(captioning_loss(model, heads, processor, lessons, prompt, batch))
        optimizer.zero_grad(set_to_none=True)
        losses.sum().backward()
        clip_gradients(parameters, GRADIENT_CLIP)
        optimizer.step()
        return losses.detach()

    yield from repeat_step(step, training, PEAK_LEARNING_RATE, seconds, is_recorded)


@torch.no_grad()
def write_captions(
    model: Florence2ForConditionalGeneration, processor: Florence2Processor, frames: torch.Tensor
) -> list[str]:
    """Caption squashed frames together, generating as lib.diffusion.captions does: beam search with three beams."""
    prompt = prompt_ids(processor, str(frames.device))
    image_ids = prompt.new_full((1, processor.num_image_tokens), SPECIAL_TOKENS.index(IMAGE))
    tokens = model.generate(
        input_ids=torch.cat([image_ids, prompt], dim=1).expand(len(frames), -1),
        pixel_values=normalise_frames(frames, processor.image_processor),
        num_beams=3,
        max_new_tokens=NUM_ANSWER_TOKENS,
        do_sample=False,
    )
    answers = processor.batch_decode(tokens, skip_special_tokens=True)
    return [answer.strip().removeprefix(PREAMBLE).strip() for answer in answers]


def named_figures(caption: str) -> list[tuple[str, str]]:
    """List the colour and the shape of each figure that a caption names, in its order; marks are no figures."""
    figures = re.sub(r" with an? \w+ \w+ on it", "", caption).split(" over ")[0]
    return re.findall(rf"\b({'|'.join(COLOURS)}) ({'|'.join(SHAPES)})\b", figures)


def measure_captions(
    model: Florence2ForConditionalGeneration, processor: Florence2Processor, pool: FramePool
) -> dict[str, float]:
    """Measure the shares of frames whose every figure is named rightly, and whose whole caption is right."""
    captions = [caption for frames in pool.frames.split(128) for caption in write_captions(model, processor, frames)]
    truths = [first_frame_caption(scene) for scene in pool.scenes]
    pairs = list(zip(captions, truths, strict=True))

    def share(are_right: Iterable[bool]) -> float:
        return round(sum(are_right) / len(pairs), 4)

    return {
        "frames": len(pairs),
        "all figures right": share(named_figures(said) == named_figures(true) for said, true in pairs),
        "whole caption right": share(said == true for said, true in pairs),
    }


def main() -> None:
    """Render the frames, train, save the half-precision weights, then measure held-out frames with those."""
    parser = argparse.ArgumentParser(description="Train the demo's captioner.")
    parser.add_argument("--output", type=Path, required=True, help="folder to write, in transformers layout")
    parser.add_argument("--seconds", type=float, default=100, help="of training")
    parser.add_argument("--scenes", type=int, default=80000, help="scenes to train on")
    parser.add_argument("--draws", type=int, default=2, help="frames of each scene, its figures turned")
    parser.add_argument("--batch", type=int, default=512, help="frames a step")
    parser.add_argument("--held-out", type=int, default=400, help="frames to measure")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw scenes")
    parser.add_argument("--work", type=Path, default=Path(".cache/training/captioner"), help="checkpoint's folder")
    parser.add_argument("--eager", action="store_true", help="launch each kernel anew, without a CUDA graph: slower")
    arguments = parser.parse_args()
    device, started = prepare_gpu(), perf_counter()
    processor = make_captioner_processor()
    pool = render_pool("train", arguments.scenes, IMAGE_SIZE, device, arguments.draws, arguments.workers)
    lessons = make_lessons(pool, processor)
    print(f"{len(lessons.frames)} frames rendered in {perf_counter() - started:.0f} s", flush=True)
    model = make_captioner().to(device)
    for line in train(
        model,
        processor,
        lessons,
        arguments.batch,
        arguments.seconds,
        not arguments.eager,
        arguments.work / "checkpoint.pt",
    ):
        print(line, flush=True)
    model.half().save_pretrained(arguments.output)
    processor.save_pretrained(arguments.output)
    model = Florence2ForConditionalGeneration.from_pretrained(arguments.output, dtype=torch.float32).to(device).eval()
    held_out = render_pool("held_out", arguments.held_out, IMAGE_SIZE, device)
    print(json.dumps(measure_captions(model, processor, held_out)), flush=True)


if __name__ == "__main__":
    main()
