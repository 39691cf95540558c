"""Snakemake, which says at its end how often it touched files below the working directory: opened, listed, looked at.

python -m tests.workflow.counted_snakemake COUNT_FILE OPTIONS...
"""

import atexit
import os
import runpy
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

EVENTS = ("open", "os.listdir", "os.scandir")  # of Python's audit; it has none for stat
FOLDER, calls = f"{Path.cwd()}/", Counter[str]()


def _note(kind: str, path: object) -> None:
    if isinstance(path, (str, os.PathLike)):
        calls[kind] += f"{os.path.abspath(os.fspath(path))}/".startswith(FOLDER)  # noqa: PTH100 - must look at nothing itself


def _counted(call: Callable[..., Any]) -> Callable[..., Any]:
    def count(path: Any, *given: Any, **named: Any) -> Any:
        _note("stat", path)
        return call(path, *given, **named)

    return count


if __name__ == "__main__":
    told = Path(sys.argv.pop(1))
    sys.addaudithook(lambda event, given: _note(event, given[0]) if event in EVENTS else None)
    os.stat, os.lstat = _counted(os.stat), _counted(os.lstat)  # type: ignore[assignment]
    atexit.register(lambda: told.write_text(str(sum(calls.values()))))
    runpy.run_module("snakemake", run_name="__main__", alter_sys=True)
