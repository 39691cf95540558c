"""What made a file: settings, seeds, versions, and hashes of what went in and came out."""

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lib.core.files import file_hash

STAGE_VERSIONS = {
    "extract_frames": 1,
    "edit_first_frame": 1,
    "align_edit": 1,
    "caption": 1,
    "detect_objects": 1,
    "segment_masks": 2,
    "encode": 1,
    "encode_shared": 1,
    "train_shared": 1,
    "train_lora": 3,
    "export_lora": 1,
    "generate": 3,
    "generate_vace": 1,
    "generate_contextflow": 1,
    "measure_source": 1,
    "align_outside": 1,
    "evaluate": 2,
    "score": 1,
    "report": 3,
}
"""Raise a stage's number when its results change: finished batches then rerun it and what follows.

Nothing else in lib/ reruns anything: a comment or a faster loop must not throw away a night of training.
"""

PACKAGES = ("torch", "diffusers", "transformers", "peft", "ultralytics", "opencv-python-headless", "av", "snakemake")


def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that shape results; those not installed are left out."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:  # a stage's environment need not hold every library
            continue
    return versions


def describe(
    stage: str,
    settings: Mapping[str, Any],
    inputs: Sequence[str | Path],
    outputs: Sequence[str | Path],
    device: str = "cpu",
) -> dict[str, Any]:
    """Describe a finished stage, as JSON-able values.

    Args:
        stage: a key of STAGE_VERSIONS.
        settings: the values that shaped the result, seeds among them.
        inputs, outputs: files to hash; folders are hashed file by file.
        device: where it ran.
    """
    return {
        "stage": stage,
        "stage_version": STAGE_VERSIONS[stage],
        "settings": dict(settings),
        "versions": package_versions(),
        "device": device,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "inputs": _hashes(inputs),
        "outputs": _hashes(outputs),
    }


def _hashes(paths: Sequence[str | Path]) -> dict[str, str]:
    files = []
    for path in map(Path, paths):
        files += sorted(child for child in path.rglob("*") if child.is_file()) if path.is_dir() else [path]
    return {str(path): file_hash(path) for path in files}
