"""Logs: what a person reads, and what the report relies on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lib.core.errors import InputError, Problem
from lib.core.failures import read_failure, retry_is_useless
from lib.stages.log import stage_log
from tests.conftest import ROOT


def test_finished_stage_says_so_last(tmp_path: Path) -> None:
    """All that was printed is there, and the last line is `finished in`."""
    with stage_log(tmp_path / "deep" / "stage.log", "generate: clip, edit"):
        print("working")
    lines = (tmp_path / "deep" / "stage.log").read_text().splitlines()
    assert lines[0] == "generate: clip, edit" and lines[1] == "working"
    assert lines[-1].startswith("finished in ")


def test_failed_stage_gives_reason_traceback_and_where_to_look(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The log ends with the reason; the console gets one line and the log's path."""
    path = tmp_path / "stage.log"
    with pytest.raises(SystemExit), stage_log(path, "generate: clip, edit"):
        raise InputError([Problem("file.png", "a cat", "a dog")])
    text = path.read_text()
    assert "Traceback" in text
    assert text.splitlines()[-1] == "failed: file.png: found a cat; expected a dog"
    console = capfd.readouterr().err
    assert "generate: clip, edit failed: file.png: found a cat" in console and str(path) in console
    assert "Traceback" not in console


def test_what_libraries_write_past_python_is_in_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """C code and early-bound loggers write to the process's own stderr; the console stays clean."""
    with stage_log(tmp_path / "stage.log", "generate: clip, edit"):
        os.write(2, b"a warning from C\n")
    assert "a warning from C" in (tmp_path / "stage.log").read_text()
    os.write(2, b"back on the console\n")
    assert capfd.readouterr().err == "back on the console\n"


def test_a_failure_of_an_earlier_run_cancels_no_retry(tmp_path: Path) -> None:
    """Yesterday wrong inputs, mended since; today attempt 1 is killed: attempt 2 must run."""
    path = tmp_path / "stage.log"
    with pytest.raises(SystemExit), stage_log(path, "caption: clip", attempt=1):
        raise InputError([Problem("file.png", "a cat", "a dog")])
    assert retry_is_useless(path, 2)
    code = (
        "import os, signal\nfrom lib.stages.log import stage_log\n"
        f"with stage_log({str(path)!r}, 'caption: clip', attempt=1):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT)
    with stage_log(path, "caption: clip", attempt=2):
        print("done at last")
    assert "done at last" in path.read_text()


def test_a_second_signal_does_not_silence_the_first(tmp_path: Path) -> None:
    """A scheduler that asks twice, the second time while the failure is written: it is written all the same."""
    path = tmp_path / "stage.log"
    code = (
        "import os, signal, lib.stages.log as log\n"
        "write = log.write_failure\n"
        "def slowly(*given):\n    os.kill(os.getpid(), signal.SIGTERM)\n    write(*given)\n"
        "log.write_failure = slowly\n"
        f"with log.stage_log({str(path)!r}, 'train: clip'):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n    log.time.sleep(9)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT)
    failure = read_failure(path)
    assert failure is not None and failure.kind == "interrupted"
    assert path.read_text().splitlines()[-1] == "failed: stopped by SIGTERM"
