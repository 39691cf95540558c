"""A model folder of the toy family, made for a test."""

import json
from pathlib import Path

import torch

from tests.lib.models.toy.networks import ToyDenoiser, ToyWords


def checkpoint(folder: Path) -> Path:
    """Write a folder in diffusers layout with random weights, always the same."""
    torch.manual_seed(0)
    ToyDenoiser().save_pretrained(folder / "transformer")
    ToyWords().save_pretrained(folder / "words")
    pipeline = {"_class_name": "ToyPipeline", "transformer": ["toy", "ToyDenoiser"], "words": ["toy", "ToyWords"]}
    (folder / "model_index.json").write_text(json.dumps(pipeline))
    return folder
