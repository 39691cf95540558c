"""Make one safetensors file of the published weights of LPIPS or DISTS.

    python -m lib.scores.convert_perceptual lpips TO alexnet-owt-7be5be79.pth alex.pth   # torchvision's, lpips' v0.1
    python -m lib.scores.convert_perceptual dists TO vgg16-397923af.pth weights.pt       # and DISTS_pytorch's

The files are pickles: they are read with torch's `weights_only`, which runs nothing of them.
"""

import argparse
import pickle
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import torch
from safetensors.torch import save_file

from lib.core.errors import InputError, Problem
from lib.core.files import whole_file
from lib.scores.perceptual import NETWORKS, Kind


def convert(kind: Kind, target: Path, sources: Sequence[Path]) -> None:
    """Take what a network needs out of some published files.

    Raises:
        InputError: a file holds more than weights, or a weight is in none of them.
    """
    given: dict[str, torch.Tensor] = {}
    for source in sources:
        try:
            given |= torch.load(source, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
            raise InputError([Problem(str(source), f"no weights alone ({error})", "a file of tensors")]) from None
    wanted = NETWORKS[kind]().state_dict()
    wrong = [name for name, weight in wanted.items() if name not in given or given[name].shape != weight.shape]
    if wrong:
        found = f"no or another {wrong[0]} (and {len(wrong) - 1} more)"
        raise InputError([Problem(", ".join(map(str, sources)), found, f"the published weights of {kind}")])
    with whole_file(target) as path:
        save_file({name: given[name].float().contiguous() for name in wanted}, path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert, and say what was written."""
    parser = argparse.ArgumentParser(prog="python -m lib.scores.convert_perceptual", description=__doc__)
    parser.add_argument("kind", choices=get_args(Kind), help="which score")
    parser.add_argument("target", type=Path, help="the .safetensors file to write")
    parser.add_argument("sources", type=Path, nargs="+", help="the published files")
    given = parser.parse_args(arguments)
    try:
        convert(given.kind, given.target, given.sources)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    print(given.target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
