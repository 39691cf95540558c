"""A model folder of the family of Wan2.2-I2V-A14B, made for a test."""

from pathlib import Path

from tests.lib.models.wan.relatives import write_a14b


def checkpoint(folder: Path) -> Path:
    """Write the folder."""
    return write_a14b(folder / "model")
