"""A checkpoint of random weights in the published folder's layout: 46 GB for the 14B model."""

import json
import shutil
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLWan
from diffusers.utils import SAFE_WEIGHTS_INDEX_NAME
from huggingface_hub import split_torch_state_dict_into_shards
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModel, UMT5Config, UMT5EncoderModel

from demo.benchmark.architectures import DEMO_MODEL
from demo.benchmark.random_models import random_transformer
from lib.execution.devices import prepare_torch

SHARD_SIZE, SHARD_NAME = "5GB", "diffusion_pytorch_model{suffix}.safetensors"  # as published
NUM_WRITERS = 8  # files written at a time

Config = Mapping[str, Mapping[str, Any]]
# What differs from the demo model's tokenizer and image processor.
TOKENIZER = {"model_max_length": 512}


def write_checkpoint(folder: Path, config: Config) -> None:
    """Write a checkpoint of random weights; tokenizer and image processor are the demo model's, but for their sizes.

    Args:
        folder: left as it is if it holds a whole checkpoint.
        config: of each part, as CHECKPOINT.
    """
    if (folder / "model_index.json").exists():
        return
    device, _ = prepare_torch("auto", "auto", torch.get_num_threads())
    with ThreadPoolExecutor(NUM_WRITERS) as writers:
        blocks = random_transformer(config["transformer"], device, torch.bfloat16, torch.device("cpu"))
        writing = _save_sharded(blocks, folder / "transformer", writers)
        with device:
            vae = AutoencoderKLWan(**config["vae"])
            image_encoder = CLIPVisionModel(CLIPVisionConfig(**config["image_encoder"]))
            text_encoder = UMT5EncoderModel(UMT5Config(**config["text_encoder"])).to(torch.bfloat16)
        for name, part in (("vae", vae), ("image_encoder", image_encoder), ("text_encoder", text_encoder)):
            writing.append(writers.submit(part.save_pretrained, folder / name))
        for written in writing:
            written.result()
    for name in ("tokenizer", "image_processor", "scheduler"):
        shutil.copytree(DEMO_MODEL / name, folder / name, dirs_exist_ok=True)
    side = config["image_encoder"]["image_size"]
    _change(folder / "tokenizer" / "tokenizer_config.json", TOKENIZER)
    _change(folder / "image_processor" / "preprocessor_config.json", {"size": {"height": side, "width": side}})
    shutil.copy(DEMO_MODEL / "model_index.json", folder)  # last: a folder that has it is whole
    del blocks, vae, image_encoder, text_encoder
    if device.type == "cuda":
        torch.cuda.empty_cache()  # the stages' processes need the memory


def _save_sharded(model: Any, folder: Path, writers: ThreadPoolExecutor) -> list[Future[None]]:
    """Write a diffusers model as its save_pretrained does, but several files at a time."""
    model.save_config(folder)
    weights = model.state_dict()
    split = split_torch_state_dict_into_shards(weights, filename_pattern=SHARD_NAME, max_shard_size=SHARD_SIZE)
    if split.is_sharded:
        index = {"metadata": split.metadata, "weight_map": split.tensor_to_filename}
        (folder / SAFE_WEIGHTS_INDEX_NAME).write_text(json.dumps(index, indent=2), encoding="utf-8")
    return [
        writers.submit(save_file, {name: weights[name] for name in names}, folder / file, {"format": "pt"})
        for file, names in split.filename_to_tensors.items()
    ]


def _change(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **values}), encoding="utf-8")
