"""Samples of many clips, read from their files when a step wants them: together they may be more than memory holds."""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import safe_open

from lib.diffusion.encoding import sample_of
from lib.models.base import Sample


class StoredSamples(Sequence[Sample]):
    """The groups of files of `lib.diffusion.encoding.save_encoded`, in their order."""

    def __init__(self, paths: Sequence[Path], device: torch.device) -> None:
        """List the samples; nothing of them is read yet.

        Args:
            paths: of the files; one of a clip without samples holds none.
            device: where a sample's tensors go.
        """
        self._device = device
        self._places = [(path, group) for path in paths for group in _groups(path)]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]  # a schedule asks for one at a time
        path, group = self._places[index]
        with safe_open(path, framework="pt", device=str(self._device)) as opened:
            names = [key for key in opened.keys() if key.startswith(f"{group}/")]  # noqa: SIM118, not a mapping
            return sample_of({name.partition("/")[2]: opened.get_tensor(name) for name in names})


def _groups(path: Path) -> list[str]:
    with safe_open(path, framework="pt") as opened:
        return sorted({key.partition("/")[0] for key in opened.keys()})  # noqa: SIM118, not a mapping
