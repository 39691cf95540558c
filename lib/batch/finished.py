"""Which clips of a batch are finished, so that they are not planned again.

A clip is finished when all its edited videos were made and nothing has changed since: no setting, no input, no rule and
none of its results. Snakemake knows that too, but needs milliseconds for each job to find out.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib.batch.files import batch_file
from lib.core.files import files_below, read_json_or_nothing, write_json
from lib.core.provenance import STAGE_VERSIONS

if TYPE_CHECKING:  # it brings PyAV and Pillow, which `./batch status` can do without
    from lib.inputs.clips import Clip


FINISHED = "finished.json"


def run_fingerprint(settings: str, models: Any, root: Path) -> str:
    """Name all that a batch's clips share and that may change what is made of them.

    Args:
        settings: of the run, as text.
        models: what the files of its models hold, as plain values.
        root: the folder that holds workflow/.
    """
    rules = {
        path.name: path.read_text(encoding="utf-8") for path in sorted((root / "workflow" / "rules").glob("*.smk"))
    }
    return _digest([settings, models, STAGE_VERSIONS, rules])


def clip_fingerprint(clip: "Clip", results: Path, run: str) -> str:
    """Name the state of a clip: the run, what was given, and every file that was made of it."""
    made = sorted(files_below(str(results / clip.id)))
    return _digest([run, repr(clip), [_state(str(path)) for path in clip.files], made])


def report_fingerprint(expected: Any, problems: Any, results: Path, run: str) -> str:
    """Name the state of a report: what it should hold, and the measurements it is made from."""
    measured = [
        _state(os.path.join(results, *video, name))  # noqa: PTH118 - thousands
        for video in expected
        for name in ("metrics.json", "scores")
    ]
    pages = [_state(str(results / name)) for name in ("metrics.csv", "report/index.html")]
    return _digest([run, expected, problems, measured, pages])


def read_finished(results: Path) -> dict[str, str]:
    """Return the fingerprints of what was finished, by clip; that of the report under an empty name."""
    return {name: str(value) for name, value in read_json_or_nothing(batch_file(results, FINISHED)).items()}


def remember_finished(results: Path, fingerprints: Mapping[str, str], forget: Iterable[str]) -> None:
    """Note what is finished now, and what no longer is."""
    known = {**read_finished(results), **fingerprints}
    for name in forget:
        known.pop(name, None)
    write_json(batch_file(results, FINISHED), known)


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, default=str).encode("utf-8", "surrogatepass")).hexdigest()


def _state(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - thousands of files: pathlib takes most of the time
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
