"""Load Wan2.2-TI2V-5B: the adapter is Wan2.1's, told what to keep by time steps."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch

from lib.execution.memory_modes import MemoryUse
from lib.models.experts import SOLE
from lib.models.wan import adapter as wan
from lib.models.wan.memory import TOKEN_TIMES_COSTS
from lib.models.wan.ti2v.family import FAMILY
from lib.models.wan.token_times import TOKEN_TIMES

TI2V = wan.Variant(FAMILY, TOKEN_TIMES, has_image_context=False, experts=lambda *_: (SOLE,), costs=TOKEN_TIMES_COSTS)


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
    return wan.load(name, components, **how, variant=TI2V)
