"""What a batch's driver keeps in RESULTS/.batch/: its settings, what it plans, and that it lives."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lib.core.errors import InputError, Problem
from lib.core.files import read_json_or_nothing, write_json

FOLDER = ".batch"
LAST = Path(".snakemake") / "last_batch.json"  # in the working directory: the results folder of the last start
MOST_NAME = 20  # letters of a results folder's name in a job's name


@dataclass(frozen=True)
class Settings:
    """How a batch was started, so that it can be started so again.

    Args:
        results: the results folder, absolute.
        folder: the working directory, which relative paths of the settings are relative to.
        configfile: of the user; None: config.yaml alone.
        own_results: the results folder as given with --results; None: that of the settings.
        slurm: whether jobs go to SLURM.
        slice_size: the most clips that are planned at a time.
        options: of Snakemake, as given after `--`.
    """

    results: str
    folder: str
    configfile: str | None
    own_results: str | None
    slurm: bool
    slice_size: int
    options: Sequence[str]


def batch_file(results: str | Path, name: str) -> Path:
    """Return the path of one of the driver's files."""
    return Path(results) / FOLDER / name


def job_prefix(results: str | Path) -> str:
    """Return how the names of a batch's SLURM jobs begin: the same for a results folder, always."""
    path = Path(results).absolute()
    name = re.sub(r"[^A-Za-z0-9]+", "-", path.name)[:MOST_NAME].strip("-") or "results"
    return f"edit-{name}-{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"


def save_settings(settings: Settings) -> None:
    """Keep the settings for the next start, and the results folder for commands that name none."""
    write_json(batch_file(settings.results, "settings.json"), asdict(settings))
    write_json(Path(settings.folder) / LAST, {"results": settings.results})


def load_settings(results: str | Path) -> Settings:
    """Return the settings of the last start.

    Raises:
        InputError: there was none, or it cannot be read.
    """
    known = read_json_or_nothing(batch_file(results, "settings.json"))
    try:
        return Settings(**known)
    except TypeError:
        expected = "a folder that `./batch start` made; name it with --results"
        raise InputError([Problem(f"results folder {results}", "no batch that was started there", expected)]) from None
