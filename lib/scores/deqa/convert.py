"""Make safetensors of the published weights: `python -m lib.scores.deqa.convert FROM TO`.

FROM is a folder with the published config.json and pytorch_model*.bin, as downloaded. These are pickles: they are read
with torch's `weights_only`, which runs nothing of them.
"""

import argparse
import pickle
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

from lib.core.errors import InputError, Problem
from lib.core.files import whole_file
from lib.scores.deqa.scorer import COMPUTED, CONFIG, read_config


def convert(source: Path, target: Path, dtype: torch.dtype = torch.float16) -> list[Path]:
    """Write a safetensors file for each shard of a published checkpoint, and its config.json.

    Args:
        source: folder of config.json and pytorch_model*.bin.
        target: folder to write.
        dtype: of the weights.

    Raises:
        InputError: there are no such weights, or a shard holds more than weights.
    """
    read_config(source)
    shards = sorted(source.glob("pytorch_model*.bin"))
    if not shards:
        raise InputError([Problem(str(source), "no pytorch_model*.bin", "the published weights, as downloaded")])
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for shard in shards:
        try:
            weights = torch.load(shard, map_location="cpu", weights_only=True, mmap=True)
        except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
            found = f"no weights alone ({str(error).splitlines()[-1] or error})"
            raise InputError([Problem(str(shard), found, "a file of tensors")]) from None
        kept = {name: weight.to(dtype).contiguous() for name, weight in weights.items() if not name.endswith(COMPUTED)}
        path = target / f"{shard.stem}.safetensors"
        with whole_file(path) as temporary:
            save_file(kept, temporary)
        written.append(path)
    shutil.copyfile(source / CONFIG, target / CONFIG)
    return written


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert, and say what was written."""
    parser = argparse.ArgumentParser(prog="python -m lib.scores.deqa.convert", description="Make safetensors of DeQA.")
    parser.add_argument("source", type=Path, help="folder of the published weights")
    parser.add_argument("target", type=Path, help="folder to write")
    given = parser.parse_args(arguments)
    try:
        for path in convert(given.source, given.target):
            print(path)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
