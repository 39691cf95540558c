"""Ask the model what it thinks of each frame: the words it would say next, by how good they call the picture."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from torch import nn

from lib.config.sections import MemoryMode
from lib.core.errors import InputError, Problem
from lib.execution.block_runs import Execution, set_up_blocks
from lib.execution.devices import free_memory
from lib.execution.memory_modes import stream_encoder
from lib.metrics.per_frame import PerFrame
from lib.scores.deqa.abstractor import Abstractor, AbstractorConfig
from lib.scores.deqa.language import LanguageConfig, Layer, RootMeanSquareNorm
from lib.scores.deqa.vision import VisionConfig, VisionTower
from lib.video.arrays import DecodedVideo, Picture

# "USER: How would you rate the quality of this image?\n<|image|>\nASSISTANT: The quality of the image is" in LLaMA-2's
# tokens, around the picture's; so no tokenizer is needed.
BEFORE = (1, 3148, 1001, 29901, 1128, 723, 366, 6554, 278, 11029, 310, 445, 1967, 29973, 13)
AFTER = (29871, 13, 22933, 9047, 13566, 29901, 450, 11029, 310, 278, 1967, 338)
LEVELS = {15129: 5.0, 1781: 4.0, 6534: 3.0, 6460: 2.0, 4319: 1.0}  # excellent, good, fair, poor, bad
MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # CLIP's
PADDING = (122, 116, 104)  # the mean colour, in levels
FRAMES_AT_ONCE = 8
WORK_BYTES = 2 * 2**30  # beside the weights, for that many frames
CONFIG = "config.json"
COMPUTED = (".q_pos_embed", ".k_pos_embed", ".rotary_emb.inv_freq")  # entries of a checkpoint that can be computed

Sizes = TypeVar("Sizes", VisionConfig, AbstractorConfig, LanguageConfig)


@dataclass(frozen=True)
class DeqaConfig:
    """Sizes of the three parts; defaults are those of the published weights."""

    vision: VisionConfig
    abstractor: AbstractorConfig
    language: LanguageConfig


def read_config(folder: Path) -> DeqaConfig:
    """Read a checkpoint's config.json, in the form of the published one.

    Raises:
        InputError: it is missing, or another model's.
    """
    try:
        content = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        visual = content["visual_config"]
        return DeqaConfig(
            _sizes(VisionConfig, visual["visual_model"]),
            _sizes(AbstractorConfig, visual["visual_abstractor"]),
            _sizes(LanguageConfig, content),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        expected = "a folder with the config.json and the safetensors of DeQA-Score; see docs/scores.md"
        raise InputError([Problem(str(folder), f"no DeQA-Score ({error})", expected)]) from None


def _sizes(kind: type[Sizes], content: Mapping[str, Any]) -> Sizes:
    """Take the sizes that are given; the others are the published model's."""
    return kind(**{field.name: content[field.name] for field in fields(kind) if field.name in content})


class DeqaScore(nn.Module):
    """The model; its entries are named as the published ones."""

    def __init__(self, config: DeqaConfig) -> None:
        super().__init__()
        width = config.language.hidden_size
        self.config = config
        self.model: Any = nn.Module()
        self.model.vision_model = VisionTower(config.vision)
        self.model.visual_abstractor = Abstractor(config.abstractor, width)
        self.model.embed_tokens = nn.Embedding(config.language.vocab_size, width)
        self.model.layers = nn.ModuleList([Layer(config.language) for _ in range(config.language.num_hidden_layers)])
        self.model.norm = RootMeanSquareNorm(width, config.language.rms_norm_eps)
        self.lm_head = nn.Linear(width, config.language.vocab_size, bias=False)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return a score from 1 to 5 for each of the pictures (batch, 3, side, side), normalised as CLIP's."""
        device = pictures.device
        shown = self.model.visual_abstractor(self.model.vision_model(pictures))
        before, after = (
            self.model.embed_tokens(torch.tensor(ids, device=device)).expand(len(pictures), -1, -1)
            for ids in (BEFORE, AFTER)
        )
        tokens = torch.cat([before, shown, after], dim=1)
        is_picture = torch.zeros(tokens.shape[1], dtype=torch.bool, device=device)
        is_picture[len(BEFORE) : len(BEFORE) + shown.shape[1]] = True
        for layer in self.model.layers:
            tokens = layer(tokens, is_picture)
        last = self.lm_head(self.model.norm(tokens[:, -1]))
        levels = torch.tensor(list(LEVELS), device=device)
        worth = torch.tensor(list(LEVELS.values()), device=device)
        scores: torch.Tensor = last[:, levels].float().softmax(-1) @ worth
        return scores


def load_deqa(folder: Path, device: torch.device, dtype: torch.dtype, memory: MemoryMode = "auto") -> DeqaScore:
    """Load the weights of a folder; safetensors only.

    Args:
        folder: of `lib.scores.deqa.convert`, or published as safetensors.
        device: that computes.
        dtype: of the weights; published in float16.
        memory: in mode low, and in auto where the model does not fit, layers come from host memory one by one.

    Raises:
        InputError: a file is missing, or weights are those of another model.
    """
    config = read_config(folder)
    with torch.device("meta"):
        model = DeqaScore(config)
    weights = read_weights(folder, dtype)
    problems = model.load_state_dict(weights, strict=False, assign=True)
    if problems.missing_keys or problems.unexpected_keys:
        found = f"weights without {problems.missing_keys[:3]} and with {problems.unexpected_keys[:3]}"
        raise InputError([Problem(str(folder), found, "those of DeQA-Score")])
    # What is computed was made on no device: make it anew.
    model.model.visual_abstractor.place(config.abstractor)
    model = model.requires_grad_(False).eval()
    needed = sum(weight.nbytes for weight in weights.values()) + WORK_BYTES
    if stream_encoder(memory, needed, free_memory(device)):
        print("the score's layers come from host memory, one by one")
        set_up_blocks(list(model.model.layers), Execution(saved="inputs", stream_weights=True), device)
    return model.to(device)


def read_weights(folder: Path, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Read all safetensors of a folder, without what can be computed."""
    weights = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118, not a mapping
                if not name.endswith(COMPUTED):
                    weights[name] = opened.get_tensor(name).to(dtype)
    return weights


def score_frames(model: DeqaScore, video: DecodedVideo, at_once: int = FRAMES_AT_ONCE) -> PerFrame:
    """Return the score of each frame of (frames, height, width, 3) uint8 RGB."""
    weight, side = model.model.norm.weight, model.config.vision.image_size
    scores: PerFrame = []
    with torch.no_grad():
        for first in range(0, len(video), at_once):
            pictures = torch.stack([prepare_picture(frame, side) for frame in video[first : first + at_once]])
            scores += model(pictures.to(weight.device, weight.dtype)).tolist()
            print(f"DeQA-Score: frame {len(scores)} of {len(video)}")
    return scores


def prepare_picture(frame: Picture, side: int) -> torch.Tensor:
    """Pad a frame (height, width, 3) to a square, resize and normalise it: (3, side, side) float32."""
    height, width, _ = frame.shape
    longer = max(height, width)
    square = np.full((longer, longer, 3), PADDING, np.uint8)
    top, left = (longer - height) // 2, (longer - width) // 2
    square[top : top + height, left : left + width] = frame
    picture = Image.fromarray(square).resize((side, side), Image.Resampling.BICUBIC)
    values = (np.asarray(picture, np.float32) / 255 - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    return torch.from_numpy(values).permute(2, 0, 1)
