"""The optical flow of a clip in a file: measured once for all edits and shapes of mask."""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from lib.core.files import whole_file
from lib.masks.region_flow import PairFlows


def save_flows(path: Path, flows: PairFlows) -> None:
    """Write the flows between neighbouring frames to a safetensors file, whole or not at all."""
    with whole_file(path) as temporary:
        save_file({name: np.ascontiguousarray(flow) for name, flow in flows._asdict().items()}, temporary)


def load_flows(path: Path) -> PairFlows:
    """Read what `save_flows` wrote."""
    tensors = load_file(path)
    return PairFlows(backward=tensors["backward"], forward=tensors["forward"])
