"""ultralytics, kept offline, quiet, without torchvision, and away from other libraries.

It reads its settings when it is first imported, so call `configure_ultralytics` before anything else of it.
"""

import importlib.metadata
import importlib.util
import os
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from PIL import Image


def configure_ultralytics(run_folder: str | Path) -> None:
    """Keep ultralytics offline, quiet and to weights-only loading; call it before ultralytics is imported.

    Args:
        run_folder: where it writes its settings; give each process that may run at the same time its own.
    """
    Path(run_folder).mkdir(parents=True, exist_ok=True)
    os.environ |= {
        "YOLO_CONFIG_DIR": str(Path(run_folder).resolve()),
        "YOLO_OFFLINE": "1",
        "YOLO_AUTOINSTALL": "0",  # it would otherwise install missing packages with pip
        "YOLO_VERBOSE": "0",
        "ULTRALYTICS_SAFE_LOAD": "1",
        "MPLBACKEND": "Agg",
    }
    with tame_ultralytics():
        from ultralytics import settings

        settings.update(sync=False)  # no usage reports


@contextmanager
def tame_ultralytics() -> Iterator[None]:
    """Import and run ultralytics in here: without torchvision, and without its changes to other libraries."""
    with keep_image_open(), provide_nms_without_torchvision():
        yield


@contextmanager
def keep_image_open() -> Iterator[None]:
    """Keep Pillow's own Image.open: ultralytics, when imported, puts one there that asks for another package.

    With that one a damaged picture raises ModuleNotFoundError instead of saying that it is no picture.
    """
    own_open = Image.open
    try:
        yield
    finally:
        Image.open = own_open


@contextmanager
def provide_nms_without_torchvision() -> Iterator[None]:
    """Let ultralytics run where torchvision is absent; where it is installed, do nothing.

    ultralytics reads torchvision's version when imported, and imports it before predicting and validating for the
    sake of one op, non-maximum suppression, of which it has an implementation of its own. Within this context a
    stand-in supplies the two. It is taken away afterwards: transformers, seeing it, would try to use the rest.
    """
    if "torchvision" in sys.modules or importlib.util.find_spec("torchvision") is not None:
        yield
        return
    real_version = importlib.metadata.version
    paired_version = f"0.{int(torch.__version__.split('.')[1]) + 15}.0"  # torch 2.n goes with torchvision 0.(n + 15)

    def version(distribution_name: str) -> str:
        return paired_version if distribution_name == "torchvision" else real_version(distribution_name)

    importlib.metadata.version = version
    stand_in: Any = types.ModuleType("torchvision")
    stand_in.__version__ = paired_version
    try:
        from ultralytics.utils.nms import TorchNMS

        stand_in.ops = types.SimpleNamespace(nms=TorchNMS.nms)
        sys.modules["torchvision"] = stand_in
        yield
    finally:
        importlib.metadata.version = real_version
        sys.modules.pop("torchvision", None)
