"""Train the demo's CLIP on one GPU: `python -m demo.training.clip --output FOLDER --seconds 45`.

It learns which caption belongs to which first frame. Beside that, a layer that is thrown away afterwards must tell each
figure from the image token at its centre, one layer below the last: these are the states that Wan's transformer is
shown of a frame, so they should say where things are.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import torch
import torch.nn.functional as F
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    CLIPTextConfig,
    CLIPVisionConfig,
)

from demo.training.frame_pool import PIXEL_NOISE, FramePool, first_frame_caption, normalise_frames, render_pool
from demo.training.perception import GRID, FigureHead, initialise_by_width, locate_figures, repeat_step
from demo.training.steps import Interruptible, clip_gradients, make_adamw, prepare_gpu
from demo.vocabulary import build_tokenizer, token_ids

IMAGE_SIZE = 96  # pixels; frames are squashed to squares, so that nothing is cut off
WIDTH = 64  # of both towers and of the embeddings
NUM_TEXT_TOKENS = 64  # of a stored caption; the longest, of four figures with stripes and marks each, has fewer
PEAK_LEARNING_RATE = 2e-3
GRADIENT_CLIP = 1.0
FIGURES_WEIGHT = 0.1  # of that layer's loss
HIGHEST_LOGIT_SCALE = 100.0  # as in CLIP's own training
RETRIEVAL_GROUP = 64  # held-out scenes of different captions among which the right one is sought


def make_clip() -> CLIPModel:
    """Build a CLIP of about 0.5 million parameters."""
    torch.manual_seed(0)
    text_config = CLIPTextConfig(
        vocab_size=len(build_tokenizer(ends=True, starts=True)),
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=3,
        num_attention_heads=4,
        projection_dim=WIDTH,
        **token_ids(),
    )
    vision_config = clip_vision_config()
    config = CLIPConfig(text_config=text_config.to_dict(), vision_config=vision_config.to_dict(), projection_dim=WIDTH)
    model = CLIPModel(config)
    initialise_by_width(model, WIDTH)
    return model


def clip_vision_config() -> CLIPVisionConfig:
    """Configure a CLIP image encoder of GRID x GRID + 1 tokens."""
    return CLIPVisionConfig(
        image_size=IMAGE_SIZE,
        patch_size=IMAGE_SIZE // GRID,
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=5,
        num_attention_heads=4,
        projection_dim=WIDTH,
    )


def clip_image_processor() -> CLIPImageProcessorPil:
    """Configure CLIP's image processing: the Pillow variant, which needs no torchvision to load."""
    return CLIPImageProcessorPil(size={"height": IMAGE_SIZE, "width": IMAGE_SIZE}, do_center_crop=False)


def make_clip_processor() -> CLIPProcessor:
    """Assemble CLIP's processor around the shared tokenizer."""
    tokenizer = build_tokenizer(ends=True, starts=True)
    tokenizer.model_max_length = 77
    return CLIPProcessor(clip_image_processor(), tokenizer)


@dataclass(frozen=True)
class Pairs:
    """Frames with their captions, on one device.

    Attributes:
        frames: (pairs, 3, IMAGE_SIZE, IMAGE_SIZE) uint8.
        texts: (pairs, NUM_TEXT_TOKENS) token ids, padded.
        caption_numbers: (pairs,), equal for equal captions.
        cells, kinds: of the figures, see `locate_figures`.
    """

    frames: torch.Tensor
    texts: torch.Tensor
    caption_numbers: torch.Tensor
    cells: torch.Tensor
    kinds: torch.Tensor


def make_pairs(pool: FramePool, processor: CLIPProcessor) -> Pairs:
    """Tokenise the captions of a pool and locate its figures."""
    captions = [first_frame_caption(scene) for scene in pool.scenes]
    texts = processor.tokenizer(captions, padding="max_length", max_length=NUM_TEXT_TOKENS, return_tensors="pt")
    assert texts.input_ids.shape[1] == NUM_TEXT_TOKENS, "a caption is longer than NUM_TEXT_TOKENS"
    numbers = {caption: number for number, caption in enumerate(dict.fromkeys(captions))}
    caption_numbers = torch.tensor([numbers[caption] for caption in captions])
    device = pool.frames.device
    labels = (texts.input_ids, caption_numbers, *locate_figures(pool.scenes))
    return Pairs(pool.frames, *(tensor.to(device) for tensor in labels))


def contrastive_loss(
    model: CLIPModel, head: FigureHead, processor: CLIPProcessor, pairs: Pairs, batch: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return CLIP's loss of random pairs and the head's loss of the same frames.

    Pairs of equal captions count as right in equal parts.
    """
    device = pairs.frames.device
    chosen = torch.randint(len(pairs.frames), (batch,), device=device)
    inputs = normalise_frames(pairs.frames[chosen], processor.image_processor, noise=PIXEL_NOISE)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda", cache_enabled=False):
        vision = model.vision_model(pixel_values=inputs, output_hidden_states=True)
        image_embeds = model.visual_projection(vision.pooler_output)
        text_embeds = model.text_projection(model.text_model(input_ids=pairs.texts[chosen]).pooler_output)
        patch_tokens = vision.hidden_states[-2][:, 1:]
        head_loss = head.loss(patch_tokens, pairs.cells[chosen], pairs.kinds[chosen])
    image_embeds, text_embeds = F.normalize(image_embeds.float(), dim=-1), F.normalize(text_embeds.float(), dim=-1)
    scale = model.logit_scale.exp().clamp(max=HIGHEST_LOGIT_SCALE)
    logits = scale * image_embeds @ text_embeds.T
    numbers = pairs.caption_numbers[chosen]
    is_same = (numbers[:, None] == numbers[None]).float()
    targets = is_same / is_same.sum(dim=1, keepdim=True)
    return (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2, head_loss


def train(
    model: CLIPModel,
    processor: CLIPProcessor,
    pairs: Pairs,
    batch: int,
    seconds: float,
    is_recorded: bool = True,
    checkpoint_path: Path | None = None,
) -> Iterator[str]:
    """Train in place; yields lines for the log.

    Args:
        model: on the pairs' device, in float32; computes in bfloat16 on a GPU.
        processor: the model's.
        pairs: what to draw from.
        batch: pairs a step.
        seconds: of training.
        is_recorded: record the step as a CUDA graph, where there is a GPU.
        checkpoint_path: of the state after an interruption; None: keep none.
    """
    device = str(pairs.frames.device)
    head = FigureHead(WIDTH).to(device)
    parameters = [*model.parameters(), *head.parameters()]
    optimizer = make_adamw(parameters, weight_decay=0.01)
    training = Interruptible(checkpoint_path, [model, head], optimizer)
    model.train()

    def step() -> torch.Tensor:
        losses = torch.stack(contrastive_loss(model, head, processor, pairs, batch))
        optimizer.zero_grad(set_to_none=True)
        (losses[0] + FIGURES_WEIGHT * losses[1]).backward()
        clip_gradients(parameters, GRADIENT_CLIP)
        optimizer.step()
        return losses.detach()

    yield from repeat_step(step, training, PEAK_LEARNING_RATE, seconds, is_recorded)
    model.eval()


@torch.no_grad()
def measure_retrieval(model: CLIPModel, processor: CLIPProcessor, pairs: Pairs) -> dict[str, float]:
    """Measure how often the right caption, or frame, is the nearest among RETRIEVAL_GROUP of different captions."""
    first_of_caption = {number: index for index, number in reversed(list(enumerate(pairs.caption_numbers.tolist())))}
    distinct = torch.tensor(sorted(first_of_caption.values()), device=pairs.frames.device)
    groups = distinct[: len(distinct) // RETRIEVAL_GROUP * RETRIEVAL_GROUP].view(-1, RETRIEVAL_GROUP)
    text_found, image_found = [], []
    for chosen in groups:
        inputs = normalise_frames(pairs.frames[chosen], processor.image_processor)
        logits = model(input_ids=pairs.texts[chosen], pixel_values=inputs).logits_per_image
        own = torch.arange(RETRIEVAL_GROUP, device=logits.device)
        text_found.append((logits.argmax(dim=1) == own).float().mean())
        image_found.append((logits.argmax(dim=0) == own).float().mean())
    return {
        "groups of 64": len(groups),
        "image to text": round(torch.stack(text_found).mean().item(), 4),
        "text to image": round(torch.stack(image_found).mean().item(), 4),
    }


def main() -> None:
    """Render the frames, train, save the half-precision weights, then measure held-out frames with those."""
    parser = argparse.ArgumentParser(description="Train the demo's CLIP.")
    parser.add_argument("--output", type=Path, required=True, help="folder to write, in transformers layout")
    parser.add_argument("--seconds", type=float, default=45, help="of training")
    parser.add_argument("--scenes", type=int, default=80000, help="scenes to train on")
    parser.add_argument("--draws", type=int, default=2, help="frames of each scene, its figures turned")
    parser.add_argument("--batch", type=int, default=1024, help="pairs a step")
    parser.add_argument("--held-out", type=int, default=600, help="frames to measure")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw scenes")
    parser.add_argument("--work", type=Path, default=Path(".cache/training/clip"), help="checkpoint's folder")
    parser.add_argument("--eager", action="store_true", help="launch each kernel anew, without a CUDA graph: slower")
    arguments = parser.parse_args()
    device, started = prepare_gpu(), perf_counter()
    processor = make_clip_processor()
    pool = render_pool("train", arguments.scenes, IMAGE_SIZE, device, arguments.draws, arguments.workers)
    pairs = make_pairs(pool, processor)
    print(f"{len(pairs.frames)} frames rendered in {perf_counter() - started:.0f} s", flush=True)
    model = make_clip().to(device)
    for line in train(
        model,
        processor,
        pairs,
        arguments.batch,
        arguments.seconds,
        not arguments.eager,
        arguments.work / "checkpoint.pt",
    ):
        print(line, flush=True)
    model.half().save_pretrained(arguments.output)
    processor.save_pretrained(arguments.output)
    model = CLIPModel.from_pretrained(arguments.output, dtype=torch.float32).to(device).eval()
    held_out = make_pairs(render_pool("held_out", arguments.held_out, IMAGE_SIZE, device), processor)
    print(json.dumps(measure_retrieval(model, processor, held_out)), flush=True)


if __name__ == "__main__":
    main()
