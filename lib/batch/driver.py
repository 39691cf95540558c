"""The driver of a batch: runs Snakemake until all is done, outlives the terminal, and ends in good order."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from lib.batch.activity import RunningStage, find_stage_files, read_running, settle_killed
from lib.batch.files import Settings, batch_file, job_prefix, load_settings
from lib.batch.lock import SECONDS_BETWEEN_BEATS, beat, this_driver, write_driver
from lib.batch.processes import MARK, end_jobs, end_session
from lib.batch.slurm_jobs import SlurmJob, ask_for_jobs, live_jobs, wait_for_jobs
from lib.core.errors import InputError, Problem
from lib.core.failures import NO_SPACE
from lib.core.files import read_json_or_nothing, remove_partials
from lib.core.marks import SECONDS_OF_SILENCE as SECONDS_OF_STAGE
from lib.core.processes import process_lives
from lib.core.project import ROOT

SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_TO_SAVE = 60.0  # for jobs that were asked to end
SECONDS_TO_LEAVE_QUEUE = 300.0
SECONDS_OF_SILENCE = 900.0  # of SLURM at the start, after which the driver ends
LEAST_FREE = 8 * 2**20  # bytes of disk; with less every job would fail, one after the other
BALLAST = "ballast"  # a file of that size, thrown off when the disk is full
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


def drive(results: Path, lock: int, wait: bool, only_failed: bool) -> int:
    """Run a batch to its end; return 0 if all of it was made.

    Args:
        results: the results folder.
        lock: of `lib.batch.lock.take_lock`; Snakemake inherits it, so that none runs beside another.
        wait: for jobs that an earlier driver left in SLURM's queue, instead of cancelling them.
        only_failed: whether to run only the clips of which something failed.
    """
    settings, stops = load_settings(results), _catch_signals()
    facts: dict[str, Any] = {
        **this_driver(),
        "job_prefix": job_prefix(results),
        "configfile": settings.configfile,
        "slice_size": settings.slice_size,
        "only_failed": only_failed,
        "command": snakemake_command(settings),
    }
    session = read_json_or_nothing(batch_file(results, "driver.json")).get("session")
    write_driver(results, {**facts, "session": session})  # kept until it is ended: this driver may be killed too
    batch_file(results, "stop").unlink(missing_ok=True)
    try:
        with suppress(OSError):  # too full already: the check of the disk will say so
            batch_file(results, BALLAST).write_bytes(bytes(LEAST_FREE))
        clear_leftovers(results, settings, session, wait, stops)
        settle_killed(results, nothing_runs=True)
        code = run_rounds(settings, facts, lock, stops)
    except InputError as error:
        say(str(error))
        code = 1
    batch_file(results, BALLAST).unlink(missing_ok=True)
    nothing_runs = _nothing_runs(settings)
    settle_killed(results, nothing_runs)
    if nothing_runs:
        _remove_leftovers(results)
    planned = batch_file(results, "plan.json").exists()
    failed = "not all was made, see the report" if planned else "nothing was started, see the driver's log"
    outcome = f"stopped by {stops[0]}" if stops else "finished" if code == 0 else failed
    ended = datetime.now(UTC).isoformat(timespec="seconds")
    write_driver(results, {**facts, "ended": ended, "exit_code": code, "outcome": outcome})
    say(outcome)
    return code


def run_rounds(settings: Settings, facts: dict[str, Any], lock: int, stops: list[str]) -> int:
    """Run Snakemake on one slice of the clips after the other; return the highest exit code."""
    plan_path = batch_file(settings.results, "plan.json")
    worst, num_left = 0, 1
    while num_left and not stops:
        earlier = read_json_or_nothing(plan_path)
        code = run_snakemake(settings, facts, lock, stops)
        worst, plan = max(worst, abs(code)), read_json_or_nothing(plan_path)
        num_left = plan.get("num_left", 0)
        # Unless it tried clips, or what the shared LoRA needs of them, it failed before it planned anything.
        if num_left and all(plan.get(key) == earlier.get(key) for key in ("tried", "gathered")):
            break
        if num_left and not stops:
            say(f"{num_left} clips are left to plan")
    return worst


def snakemake_command(settings: Settings) -> list[str]:
    """Return the command that runs a batch."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--nolock"]
    options = list(settings.options)
    if settings.configfile:
        command += ["--configfile", settings.configfile]
    if settings.own_results:  # beside what the user gives there: the last --config alone would count
        place = options.index("--config") + 1 if "--config" in options else 0
        options[place:place] = ["--config"] * (place == 0) + [f"results={settings.own_results}"]
    if settings.slurm:
        command += ["--workflow-profile", str(ROOT / "workflow" / "profiles" / "slurm")]
        command += ["--slurm-jobname-prefix", job_prefix(settings.results)]
    return command + options


def clear_leftovers(results: Path, settings: Settings, session: int | None, wait: bool, stops: list[str]) -> None:
    """End, or wait for, the jobs that a dead driver left: nothing may write beside the ones to come.

    Raises:
        InputError: some could not be ended, or run where nobody here can end them, or SLURM does not say.
    """
    num_ended = end_session(session, str(results), SECONDS_TO_SAVE) if session else 0
    if num_ended:
        say(f"ended {num_ended} processes that an earlier driver had left on this machine")
    if elsewhere := _at_work_elsewhere(results):
        raise InputError([_left_elsewhere(stage) for stage in elsewhere])
    prefix = job_prefix(results)
    left = _jobs_left(prefix, settings.slurm, _is_over(results, float("inf") if wait else SECONDS_OF_SILENCE, stops))
    if not left:
        return
    say(f"{'waiting for' if wait else 'cancelling'} {len(left)} jobs that an earlier driver had left in SLURM's queue")
    is_over = _is_over(results, float("inf") if wait else SECONDS_TO_LEAVE_QUEUE, stops)
    still = wait_for_jobs(prefix, not wait, is_over, say)
    if still:
        raise _stuck(prefix, [job.number for job in still])


def _remove_leftovers(results: Path) -> None:
    """Remove what killed writers left of this run's clips: the next writer may be on another node, and would not."""
    for clip in read_json_or_nothing(batch_file(results, "plan.json")).get("tried", []):
        remove_partials(results / clip)
        remove_partials(results / "logs" / clip)


def _jobs_left(prefix: str, needed: bool, is_over: Callable[[], bool]) -> list[SlurmJob]:
    if needed:
        return ask_for_jobs(prefix, is_over, say)
    with suppress(InputError):  # a run on this machine can do without SLURM's answer
        return live_jobs(prefix)
    return []


def _nothing_runs(settings: Settings) -> bool:
    """Tell whether a batch has no job left; on this machine none outlives its Snakemake."""
    if _at_work_elsewhere(Path(settings.results)):
        return False
    try:
        return not live_jobs(job_prefix(settings.results))
    except InputError:
        return not settings.slurm


def _is_over(results: Path, seconds: float, stops: list[str]) -> Callable[[], bool]:
    """Return a function that tells whether to wait no longer: so many seconds have passed, or a stop was asked for."""
    deadline = time.monotonic() + seconds

    def is_over() -> bool:
        _look_for_stop(results, stops)
        return bool(stops) or time.monotonic() > deadline

    return is_over


def run_snakemake(settings: Settings, facts: dict[str, Any], lock: int, stops: list[str]) -> int:
    """Run Snakemake once, until it ends or the driver is told to stop; return its exit code."""
    results = Path(settings.results)
    batch_file(results, "round").unlink(missing_ok=True)  # made by the last job of a round: one is always to be done
    child = subprocess.Popen(
        snakemake_command(settings),
        cwd=settings.folder,
        env={**os.environ, MARK: str(results)},
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # its jobs are known by it, and a terminal's Ctrl-C reaches this driver alone
        pass_fds=[lock],
        preexec_fn=_die_with_parent,
    )
    write_driver(results, {**facts, "session": child.pid})
    spoke = time.monotonic()
    while child.poll() is None:
        time.sleep(SECONDS_BETWEEN_LOOKS)
        _look_for_stop(results, stops)
        beats = time.monotonic() - spoke > SECONDS_BETWEEN_BEATS
        if shutil.disk_usage(results).free < LEAST_FREE or (beats and not _has_room(results)):
            batch_file(results, BALLAST).unlink(missing_ok=True)  # room for the report and the last words
            stops.append(f"a full disk: make room for {results}, then `./batch resume`")
        if stops:
            _stop(child, settings)
        if beats:
            beat(results)
            spoke = time.monotonic()
    return child.returncode


def _has_room(results: Path) -> bool:
    """Tell whether a file can still be made: under a quota the disk says that it is free, and every job fails."""
    try:
        with tempfile.TemporaryFile(dir=batch_file(results, BALLAST).parent) as probe:
            os.posix_fallocate(probe.fileno(), 0, LEAST_FREE)
    except OSError as error:
        return error.errno not in NO_SPACE
    return True


def _stop(child: subprocess.Popen[bytes], settings: Settings) -> None:
    """End Snakemake and this batch's jobs, and nobody else's."""
    say("stopping; trainings save their step")
    # On SIGTERM Snakemake starts nothing more and waits for its jobs; on SIGINT it cancels those in a queue.
    child.send_signal(signal.SIGINT if settings.slurm else signal.SIGTERM)
    deadline, asked = time.monotonic() + SECONDS_TO_SAVE, set[psutil.Process]()
    while child.poll() is None and time.monotonic() < deadline:
        if not settings.slurm:
            end_jobs(child.pid, settings.results, asked)
        time.sleep(SECONDS_BETWEEN_LOOKS)
    end_session(child.pid, settings.results, grace=0)
    child.wait()
    if settings.slurm:
        _empty_queue(job_prefix(settings.results))


def _empty_queue(prefix: str) -> None:
    """End what is left in SLURM's queue, as far as SLURM answers; the next start looks again."""
    deadline = time.monotonic() + SECONDS_TO_LEAVE_QUEUE
    try:
        still = wait_for_jobs(prefix, True, lambda: time.monotonic() > deadline, say)
    except InputError as error:
        say(f"{error}; jobs whose names begin with {prefix} may be left in its queue")
        return
    if still:
        say(f"SLURM still lists jobs {', '.join(job.number for job in still)}")


def _look_for_stop(results: Path, stops: list[str]) -> None:
    """Note a stop that another host asks for."""
    if batch_file(results, "stop").exists():
        stops.append("./batch stop")


def say(message: str) -> None:
    """Write a line of the driver's own into its log."""
    with suppress(OSError):  # a full disk: the driver must still end in good order
        print(f"[{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC] batch: {message}", flush=True)


def _stuck(prefix: str, numbers: list[str]) -> InputError:
    found = f"jobs {', '.join(numbers)} (names that begin with {prefix}) in SLURM's queue"
    return InputError(
        [Problem("squeue", found, "them to be gone; if cancelling does not help, ask the cluster's staff")]
    )


def _at_work_elsewhere(results: Path) -> list[RunningStage]:
    """Return the stages that run where no process can be seen from here and no queue tells of them."""
    running = read_running(find_stage_files(results))
    return [stage for stage in running if process_lives(stage.mark.process) is None and not stage.mark.slurm_job]


def _left_elsewhere(stage: RunningStage) -> Problem:
    process = stage.mark.process
    expected = f"it to end, or `kill {process.pid}` there; if it is dead, try again in {SECONDS_OF_STAGE / 60:.0f} min"
    return Problem(stage.name, f"at work on {process.host}, left by an earlier driver", expected)


def _catch_signals() -> list[str]:
    """Note the signals that ask a driver to end, to be looked at between other things."""
    stops: list[str] = []

    def note(number: int, _: FrameType | None) -> None:
        stops.append(signal.Signals(number).name)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, note)
    return stops


def _die_with_parent() -> None:
    """Have Linux end Snakemake with the driver, even one killed by -9: it holds the lock, and would start more jobs."""
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        sys.exit(drive(Path(sys.argv[1]), int(sys.argv[2]), "--wait" in sys.argv, "--only-failed" in sys.argv))
