"""What is measured of a source alone, once for all that is compared with it: its motion, and CLIP of it."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from lib.core.files import whole_file
from lib.metrics.similarity import Embeddings
from lib.video.arrays import Mask
from lib.video.flow import Flow
from lib.video.flow_file import read_flows, write_flows


@dataclass(frozen=True)
class SourceMeasures:
    """Measures of a source of so many frames.

    Attributes:
        flows, visible: of `lib.metrics.motion.measure_motion`.
        source_embeddings, round_trip_embeddings: (frames, features) of the source, and of it sent through the VAE.
    """

    flows: Flow
    visible: Mask
    source_embeddings: Embeddings
    round_trip_embeddings: Embeddings


def save_measures(measures: SourceMeasures, embeddings: Path, motion: Path) -> None:
    """Write measures to two files, each whole or not at all: embeddings and visibility; the flow."""
    tensors: dict[str, NDArray[Any]] = {
        "source": measures.source_embeddings,
        "round_trip": measures.round_trip_embeddings,
        "visible": np.packbits(measures.visible),
        "shape": np.array(measures.visible.shape, np.int64),
    }
    with whole_file(embeddings) as temporary:
        save_file(tensors, temporary)
    write_flows(motion, measures.flows)


def load_measures(embeddings: Path, motion: Path) -> SourceMeasures:
    """Read what `save_measures` wrote."""
    tensors = load_file(embeddings)
    shape = tuple(tensors["shape"].tolist())
    visible = np.unpackbits(tensors["visible"], count=math.prod(shape)).reshape(shape).astype(np.bool_)
    flows = read_flows(motion, 1)[0] if len(visible) else np.zeros((*shape, 2), np.float32)
    return SourceMeasures(
        flows=flows,
        visible=visible,
        source_embeddings=tensors["source"],
        round_trip_embeddings=tensors["round_trip"],
    )
