"""Load Wan2.2-I2V-A14B: the adapter is Wan2.1's, for two experts."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline

from lib.execution.memory_modes import MemoryUse
from lib.models.experts import Expert
from lib.models.wan import adapter as wan
from lib.models.wan.a14b.family import EXPERTS, FAMILY
from lib.models.wan.mask_channels import MASK_CHANNELS
from lib.models.wan.memory import COSTS


def _experts(name: str, download: bool) -> tuple[Expert, ...]:
    """Read from model_index.json where the second expert takes over."""
    boundary = float(DiffusionPipeline.load_config(name, local_files_only=not download)["boundary_ratio"])
    high, low = EXPERTS
    return Expert(high, boundary, 1.0), Expert(low, 0.0, boundary)


A14B = wan.Variant(FAMILY, MASK_CHANNELS, has_image_context=False, experts=_experts, costs=COSTS)


def load(
    name: str,
    components: Collection[str],
    *,
    device: torch.device,
    dtype: torch.dtype,
    memory: MemoryUse,
    download: bool,
    files: Sequence[Path] = (),
) -> wan.WanModel:
    """Load components of a folder or hub id, see `lib.models.wan.adapter.load`."""
    how: dict[str, Any] = {"device": device, "dtype": dtype, "memory": memory, "download": download, "files": files}
    return wan.load(name, components, **how, variant=A14B)
