"""Processes whose clock is wrong, by libfaketime; files keep the times that the disk gives them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)
needs_faketime = pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed: apt install faketime")


def clock_variables(seconds: float) -> dict[str, str]:
    """Return the environment variables of a process whose clock is ahead by so much; below 0: behind."""
    return {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME": f"{seconds:+.0f}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
        "FAKE_UTIME": "1",  # a touch takes the time of the disk
    }


def run_with_clock(seconds: float, code: str, *arguments: str) -> str:
    """Run Python's words on a machine whose clock is ahead by so much; return what they print."""
    environment = {**os.environ, **clock_variables(seconds)}
    command = [sys.executable, "-c", code, *arguments]
    answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout
