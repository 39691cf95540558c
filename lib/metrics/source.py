"""What is measured of a source alone, once for all that is compared with it: its motion, and CLIP of it."""

from dataclasses import dataclass
from pathlib import Path

from safetensors.numpy import load_file, save_file

from lib.core.files import whole_file
from lib.metrics.similarity import Embeddings
from lib.video.arrays import Mask
from lib.video.flow import Flow


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


def save_measures(path: Path, measures: SourceMeasures) -> None:
    """Write measures to a safetensors file, whole or not at all."""
    with whole_file(path) as temporary:
        save_file(vars(measures), temporary)


def load_measures(path: Path) -> SourceMeasures:
    """Read what `save_measures` wrote."""
    tensors = load_file(path)
    return SourceMeasures(
        flows=tensors["flows"],
        visible=tensors["visible"],
        source_embeddings=tensors["source_embeddings"],
        round_trip_embeddings=tensors["round_trip_embeddings"],
    )
