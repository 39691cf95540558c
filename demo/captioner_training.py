"""Train the demo's Florence-2 to caption rendered frames."""

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import Florence2ForConditionalGeneration, Florence2Processor

from demo.scenes import caption, random_scene, render

NUM_SCENES = 3000
NUM_STEPS = 600
BATCH_SIZE = 16
PEAK_LEARNING_RATE = 2e-3
TASK = "<DETAILED_CAPTION>"
PREAMBLE = "The image shows"  # Florence-2's answers to this task open so


def train_captioner(model: Florence2ForConditionalGeneration, processor: Florence2Processor) -> float:
    """Train the whole model in place, on the CPU, for a few minutes.

    Args:
        model: in float32, freshly initialised.
        processor: its processor.

    Returns:
        The loss of the last step, in nats per token.
    """
    generator = np.random.default_rng(3)
    inputs, targets = render_samples(processor, generator)
    prompt = processor(text=TASK, images=np.zeros((96, 160, 3), np.uint8), return_tensors="pt").input_ids
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LEARNING_RATE, NUM_STEPS, pct_start=0.1)
    model.train()
    for _ in range(NUM_STEPS):
        batch = torch.from_numpy(generator.integers(NUM_SCENES, size=BATCH_SIZE))
        answer = targets[batch]  # (batch, tokens), opening with the decoder's start token
        logits = model(
            input_ids=prompt.expand(BATCH_SIZE, -1), pixel_values=inputs[batch], decoder_input_ids=answer[:, :-1]
        ).logits
        padding = processor.tokenizer.pad_token_id
        loss = cross_entropy(logits.flatten(0, 1), answer[:, 1:].flatten(), ignore_index=padding)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    model.eval()
    return float(loss.detach())


def render_samples(processor: Florence2Processor, generator: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Render one frame of each scene and tokenise its caption.

    Returns:
        Pixel values, (samples, 3, height, width), and token ids, (samples, tokens), from the decoder's start token
        (END, as in BART) to END, padded.
    """
    frames, captions = [], []
    for number in range(NUM_SCENES):
        width, height = (96, 160) if number % 4 == 0 else (160, 96)
        scene = random_scene(generator, width, height, num_frames=1)
        frames.append(render(scene)[0][0])
        captions.append(f"{processor.tokenizer.eos_token}{PREAMBLE} {caption(scene, with_motion=False)}.")
    pixels = processor.image_processor(frames, return_tensors="pt").pixel_values
    return pixels, processor.tokenizer(captions, padding=True, return_tensors="pt").input_ids
