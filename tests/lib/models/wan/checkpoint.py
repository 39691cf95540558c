"""A model folder of the Wan family: the demo's."""

from pathlib import Path

from tests.conftest import TINY_WAN


def checkpoint(_: Path) -> Path:
    """Return the folder, which needs not be made."""
    return TINY_WAN
