"""What the files of a run's models hold, so that new weights under an old name are noticed; torch-free.

A file is read whole once, and known again by its size and time of change: tens of gigabytes take seconds from a local
disk, once. In the hub's cache a file is named by its own hash already, and nothing is read.
"""

import hashlib
import json
import os
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lib.core.errors import InputError, Problem
from lib.core.files import file_hash, read_json_or_nothing, write_json
from lib.core.units import GIB
from lib.inputs.checkpoints import CAPTIONER_FILE, PIPELINE_FILE, checkpoint_file, resolve_path

NUM_THREADS = 8  # hashing releases the interpreter's lock
NUM_DIGITS = 16
TELL_FROM = GIB  # bytes to read from which a person is told what the wait is for
MARKERS = (PIPELINE_FILE, CAPTIONER_FILE)  # one of them is in each model folder of the hub's cache
BLOB = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")  # the hub's cache: a file's own git or SHA-256 hash


@dataclass(frozen=True)
class ModelFiles:
    """What the models hold.

    Attributes:
        parts: of each key of the config, a digest for each folder of the model, such as its transformer; what is not in
            a folder is under the empty name. A model that is not here, or that a run may fetch anew, has none.
    """

    parts: Mapping[str, Mapping[str, str]]

    def of(self, *keys: str, only: Collection[str] = (), leave_out: Collection[str] = ()) -> dict[str, str]:
        """Return the digests that a job depends on, for its params.

        Args:
            keys: of the config.
            only: folders of the model; none: all.
            leave_out: folders of the model that a job does not read.
        """
        return {
            f"{key}/{part}" if part else key: digest
            for key in keys
            for part, digest in self.parts.get(key, {}).items()
            if (not only or part in only) and part not in leave_out
        }


def identify_models(models: Mapping[str, str | None], cache: Path, download: bool) -> ModelFiles:
    """Look at the files of all models.

    Args:
        models: a folder, a file or a hub id by key of the config; None: that one is not used.
        cache: a JSON file that is read and replaced; it may be shared by runs with other results.
        download: whether the hub may be asked at run time. Then its models have no digests: the first job that fetches
            one would otherwise make all others out of date.

    Raises:
        InputError: a file cannot be read.
    """
    try:
        found = {
            key: sorted(_files_of(name)) for key, name in models.items() if name and not _is_fetched(name, download)
        }
        digests = _digests({path for files in found.values() for _, path in files}, cache)
    except OSError as error:
        place = str(error.filename)
        raise InputError(
            [Problem(place, f"a model file that cannot be read ({error.strerror})", "one that can be")]
        ) from None
    parts = {}
    for key, files in found.items():
        folders: dict[str, list[tuple[str, str]]] = {}
        for place, path in files:
            folders.setdefault(place.rpartition("/")[0].partition("/")[0], []).append((place, digests[path]))
        parts[key] = {folder: _short(json.dumps(content)) for folder, content in sorted(folders.items())}
    return ModelFiles(parts)


def _is_fetched(name: str, download: bool) -> bool:
    return download and not Path(resolve_path(name)).exists()


def _files_of(name: str) -> Iterator[tuple[str, Path]]:
    """Yield the files of a model, each with its place in it; hidden ones and words for people do not count."""
    path = Path(resolve_path(name))
    if path.is_file():
        yield path.name, path
        return
    if not path.is_dir():
        markers = [found for marker in MARKERS if (found := checkpoint_file(name, marker))]
        if not markers:
            return
        path = markers[0].parent
    for folder, folders, names in os.walk(path, followlinks=True):
        folders[:] = [each for each in folders if not each.startswith(".")]
        for each in names:
            if not each.startswith(".") and not each.endswith((".md", ".txt.license")):
                file = Path(folder) / each
                yield file.relative_to(path).as_posix(), file


def _digests(paths: Collection[Path], cache: Path) -> dict[Path, str]:
    """Return a digest for each file, read only where its size or time of change is new."""
    seen = read_json_or_nothing(cache)
    known, states, unread = {}, {}, []
    for path in sorted(paths):
        real = path.resolve()
        if real.parent.name == "blobs" and BLOB.fullmatch(real.name):
            known[path] = real.name[:NUM_DIGITS]
            continue
        status = real.stat()
        states[path] = {"size": status.st_size, "changed": status.st_mtime_ns}
        before = seen.get(str(real))
        if isinstance(before, dict) and states[path].items() <= before.items() and isinstance(before.get("is"), str):
            known[path] = before["is"]
        else:
            unread.append(path)
    size = sum(states[path]["size"] for path in unread)
    if size >= TELL_FROM:
        print(f"Reading {size / GIB:.1f} GiB of model files, once, to know them again.", file=sys.stderr, flush=True)
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        read = dict(zip(unread, pool.map(lambda path: file_hash(path)[:NUM_DIGITS], unread), strict=True))
    if read:
        new = {str(path.resolve()): {**states[path], "is": digest} for path, digest in read.items()}
        with suppress(OSError):  # a full or read-only disk: the next look reads them again
            write_json(cache, {**read_json_or_nothing(cache), **new})
    return {**known, **read}


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:NUM_DIGITS]
