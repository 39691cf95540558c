"""The only way to a model: by its family's name, and with only the components that a stage needs."""

from collections.abc import Collection, Sequence
from importlib import import_module
from pathlib import Path

import torch

from lib.config.families import FAMILIES
from lib.execution.memory_modes import MemoryUse
from lib.models.base import VideoModel

COMPONENTS = frozenset({"vae", "encoders", "transformer"})


def load_model(
    name: str | Path,
    components: Collection[str],
    *,
    family: str = "wan",
    device: torch.device,
    dtype: torch.dtype,
    memory: MemoryUse | None = None,
    download: bool = False,
    files: Sequence[Path] = (),
) -> VideoModel:
    """Load only what a stage needs of a video model, frozen.

    Args:
        name: local folder in diffusers layout, or hub id.
        components: any of `vae`, `encoders` (text and image) and `transformer`.
        family: which adapter drives it.
        device: where the weights go.
        dtype: of the transformer and the text encoder; the VAE and the image encoder stay in float32, since
            they run once and their rounding would be learned.
        memory: how the transformer and the text encoder are to use it; None: all resident, nothing recomputed.
        download: allow the hub; otherwise local files only.
        files: of the denoisers' weights, in place of the folder's, see `Family.file_shapes`; none: the folder's.

    Raises:
        OSError: a component is not there.
    """
    unknown = set(components) - COMPONENTS
    assert not unknown, f"unknown components {unknown}"
    adapter = import_module(f"{FAMILIES[family]}.adapter")
    model: VideoModel = adapter.load(
        str(name),
        components,
        device=device,
        dtype=dtype,
        memory=memory or MemoryUse("fast"),
        download=download,
        **({"files": files} if files else {}),
    )
    return model
