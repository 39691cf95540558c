"""Which classes a detector knows, asked before any work: one that it does not know is told at once."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lib.core.errors import Problem, nearest_known
from lib.core.files import read_json_or_nothing, write_json
from lib.core.project import ROOT
from lib.inputs.checkpoints import resolve_path

METADATA = "metadata.json"  # of a detector folder
# In a process of its own: it takes torch and ultralytics, which the planning does without.
ASK = """
import json, sys, tempfile
from lib.core.errors import InputError
from lib.masks.detector import load_detector
from lib.masks.ultralytics_setup import configure_ultralytics
with tempfile.TemporaryDirectory() as folder:
    configure_ultralytics(folder)
    try:
        names = list(load_detector(sys.argv[1]).names.values())
    except InputError as error:
        sys.exit(str(error))
print(json.dumps(names))
"""


def check_classes(classes: Sequence[str] | None, detector: str | None, cache: Path) -> list[Problem]:
    """Return a problem for each class that a detector does not know, or one for a detector that cannot be loaded.

    Args:
        classes: names; None: all, and nothing is asked.
        detector: a folder or weights file that exists; None: no detector is used.
        cache: a JSON file that is read and replaced: to load weights takes seconds.
    """
    if not classes or detector is None:
        return []
    path = Path(resolve_path(detector))
    try:
        known = _known_classes(path, cache)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [Problem("mask.detector", f"{detector}, which does not load ({error})", "a detector that loads")]
    return [Problem("mask.classes", f"'{name}'", nearest_known(name, known)) for name in classes if name not in known]


def _known_classes(path: Path, cache: Path) -> list[str]:
    """Return the names of a detector's classes.

    Raises:
        ValueError, OSError, KeyError, TypeError: it is none.
    """
    if path.is_dir():
        return list(json.loads((path / METADATA).read_text(encoding="utf-8"))["class_names"])
    status = path.stat()
    state = [os.fspath(path), status.st_size, status.st_mtime_ns]
    seen = read_json_or_nothing(cache)
    if seen.get("state") == state:
        return list(seen["classes"])
    answer = subprocess.run([sys.executable, "-c", ASK, os.fspath(path)], cwd=ROOT, capture_output=True, text=True)
    if answer.returncode:
        raise ValueError(answer.stderr.strip().splitlines()[-1] if answer.stderr.strip() else "it ended without a word")
    known = list(json.loads(answer.stdout.splitlines()[-1]))
    with suppress(OSError):  # a full or read-only disk: the next look takes seconds again
        write_json(cache, {"state": state, "classes": known})
    return known
