"""A model folder of the family of Wan2.2-TI2V-5B, made for a test."""

from pathlib import Path

from tests.lib.models.wan.relatives import write_ti2v


def checkpoint(folder: Path) -> Path:
    """Write the folder."""
    return write_ti2v(folder / "model")
