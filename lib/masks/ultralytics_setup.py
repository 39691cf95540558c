"""ultralytics, kept offline, quiet, without torchvision, and away from other libraries.

It reads its settings when it is first imported, so call `configure_ultralytics` before anything else of it.
"""

import importlib.metadata
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    with keep_image_open(), answer_for_torchvision():
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
def answer_for_torchvision() -> Iterator[None]:
    """Say which torchvision goes with this torch where none is installed: ultralytics asks when it is imported.

    What we use of ultralytics asks for no more: its non-maximum suppression is its own, in `ultralytics.utils.nms`.
    torchvision as PyPI has it is no way out: built for CUDA, it cannot be imported beside torch for the CPU.
    """
    installed_version = importlib.metadata.version

    def version(distribution_name: str) -> str:
        if distribution_name == "torchvision" and importlib.util.find_spec("torchvision") is None:
            return f"0.{int(torch.__version__.split('.')[1]) + 15}.0"  # torch 2.n goes with torchvision 0.(n + 15)
        return installed_version(distribution_name)

    importlib.metadata.version = version
    try:
        yield
    finally:
        importlib.metadata.version = installed_version
