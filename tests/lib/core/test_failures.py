"""Why a stage failed: told apart by what can be done about it, kept beside the log, and not retried in vain."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lib.batch.activity import find_stage_files, read_failures, read_running, settle_killed
from lib.config.sections import ModelSection
from lib.core.errors import InputError, InterruptionError, Problem
from lib.core.failures import KILLED, Kind, failure_path, kind_of, ran_out_of_memory, read_failure, write_failure
from lib.core.files import read_json, write_json
from lib.core.marks import SECONDS_OF_SILENCE, mark_path, running_mark
from lib.stages.job import Job
from lib.stages.log import stage_log
from lib.stages.model import load_transformer
from tests.conftest import ROOT, TINY_WAN

PROBLEM = Problem("file.png", "a cat", "a dog")


def _cpu_out_of_memory() -> BaseException:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    return caught.value


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), "out_of_memory"),
        (MemoryError(), "out_of_memory"),
        (InputError([PROBLEM]), "input"),
        (InputError([PROBLEM], kind="not_a_number"), "not_a_number"),
        (InterruptionError("stopped by SIGTERM"), "interrupted"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk_full"),
        (ValueError("I/O error: No space left on device (os error 28)"), "disk_full"),
        (FileNotFoundError(errno.ENOENT, "No such file"), "other"),
        (RuntimeError("a bug"), "other"),
    ],
)
def test_kinds_are_told_apart(error: BaseException, kind: Kind) -> None:
    """Each error that stages are known to end with is of the kind that says what to do."""
    assert kind_of(error) == kind


def test_torch_without_memory_and_what_hides_it(tmp_path: Path) -> None:
    """The error that torch really raises on the CPU; an error that came of another is judged by that one too."""
    error = _cpu_out_of_memory()
    assert kind_of(error) == "out_of_memory"
    wrapped = RuntimeError("the stage failed")
    wrapped.__cause__ = error
    assert kind_of(wrapped) == "out_of_memory"
    log = tmp_path / "generate.log"
    with pytest.raises(SystemExit), stage_log(log, "generate"):
        raise wrapped
    assert ran_out_of_memory(log)
    with stage_log(log, "generate", attempt=2):
        pass
    assert not ran_out_of_memory(log) and not failure_path(log).exists(), "a success takes it back"


def test_a_retry_that_cannot_help_ends_at_once_with_the_same_reason(tmp_path: Path) -> None:
    """Wrong inputs are not tried again in the same run, but in the next; other failures are tried again."""
    log, tried = tmp_path / "encode.edit.log", []
    with pytest.raises(SystemExit), stage_log(log, "encode"):
        raise InputError([PROBLEM])
    log.unlink()  # as Snakemake does before an attempt
    with pytest.raises(SystemExit), stage_log(log, "encode", attempt=2):
        tried.append("wrong inputs")
    assert not tried
    lines = log.read_text().splitlines()
    assert lines[-1] == "failed: file.png: found a cat; expected a dog" and any("InputError" in line for line in lines)
    known = read_failure(log)
    assert known is not None and (known.kind, known.attempt) == ("input", 1)
    with stage_log(log, "encode", attempt=1):
        tried.append("a new run")
    write_failure(log, "other", "a node that crashed", 1, [])
    with stage_log(log, "encode", attempt=2):
        tried.append("a retry")
    assert tried == ["a new run", "a retry"]


STAGE = """
import sys, time
from lib.stages.log import stage_log
with stage_log(sys.argv[1], "generate: clip, edit"):
    print("denoising step 3/30, 1.5 s each, 40 s left")
    print("ready", file=sys.__stdout__, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_stage_is_seen_at_work_and_known_when_it_is_stopped_or_killed(tmp_path: Path, number: signal.Signals) -> None:
    """While it runs its progress shows; SIGTERM: interrupted, by its own word; SIGKILL: killed, told by others."""
    log = tmp_path / "logs" / "clip" / "generate.log"
    stage = subprocess.Popen([sys.executable, "-c", STAGE, str(log)], cwd=ROOT)
    while not log.exists() or "ready" not in log.read_text():
        assert stage.poll() is None
    running = read_running(find_stage_files(tmp_path))
    assert [(one.name, one.mark.process.pid) for one in running] == [("clip/generate", stage.pid)]
    assert running[0].progress == "denoising step 3/30, 1.5 s each, 40 s left"
    os.kill(stage.pid, number)
    stage.wait()
    files = find_stage_files(tmp_path)
    assert not read_running(files)
    failure = read_failures(files)["clip/generate"]
    if number == signal.SIGTERM:
        assert failure.kind == "interrupted" and "SIGTERM" in failure.reason
        assert log.read_text().splitlines()[-1] == "failed: stopped by SIGTERM"
    else:
        assert failure.reason == KILLED
        settle_killed(tmp_path, nothing_runs=False)
        assert not mark_path(log).exists()
        settled = read_failure(log)
        assert settled is not None and settled.reason == KILLED


def test_a_stage_that_was_killed_before_it_had_a_log_is_settled(tmp_path: Path) -> None:
    """Its mark alone is there, for a moment at the beginning of each stage."""
    log = tmp_path / "logs" / "clip" / "generate.log"
    with running_mark(log, 2):
        settle_killed(tmp_path, nothing_runs=True)
    settled = read_failure(log)
    assert settled is not None and (settled.reason, settled.attempt, settled.tail) == (KILLED, 2, [])


def test_a_stage_is_not_taken_for_a_process_that_has_its_number_now(tmp_path: Path) -> None:
    """A mark whose number is that of another process now: killed. Clocks that were set meanwhile change nothing."""
    log = tmp_path / "logs" / "clip" / "generate.log"
    with running_mark(log, 1):
        assert [stage.name for stage in read_running(find_stage_files(tmp_path))] == ["clip/generate"]
        mark = read_json(mark_path(log))
        write_json(mark_path(log), {**mark, "started": mark["started"] - 10 * 24 * 3600})
        assert read_running(find_stage_files(tmp_path))
        for difference in ({"born": mark["process"]["born"] - 1}, {"boot": "an earlier one"}):
            write_json(mark_path(log), {**mark, "process": {**mark["process"], **difference}})
            assert not read_running(find_stage_files(tmp_path))
            assert read_failures(find_stage_files(tmp_path))["clip/generate"].reason == KILLED


@pytest.mark.parametrize("place", [{"host": "elsewhere"}, {"space": "a container"}])
def test_a_stage_elsewhere_is_judged_by_its_signs_of_life_alone(tmp_path: Path, place: dict[str, str]) -> None:
    """A process of its number lives here, or none does: what counts is when its mark was touched last."""
    log = tmp_path / "logs" / "clip" / "generate.log"
    with running_mark(log, 1):
        path, mark = mark_path(log), read_json(mark_path(log))
        for born in (mark["process"]["born"], 0):
            write_json(path, {**mark, "process": {**mark["process"], **place, "born": born}})
            assert read_running(find_stage_files(tmp_path))
            silent_since = path.stat().st_mtime - SECONDS_OF_SILENCE - 1
            os.utime(path, (silent_since, silent_since))
            assert not read_running(find_stage_files(tmp_path))
            assert read_failures(find_stage_files(tmp_path))["clip/generate"].reason == KILLED


def test_an_attempt_after_one_without_memory_takes_mode_low(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A real failure beside the log: the next attempt streams its weights and says so; another kind changes nothing."""
    log = tmp_path / "train.log"
    section = ModelSection(name=str(TINY_WAN), device="cpu", dtype="float32")
    for error, mode in ((torch.OutOfMemoryError("CUDA out of memory"), "low"), (OSError("no route"), "fast")):
        write_failure(log, kind_of(error), str(error), 1, [])
        load_transformer(section, Job(log, 1), latents_shape=(1, 16, 2, 8, 8), training=True)
        assert f"memory mode {mode}" in capsys.readouterr().out
