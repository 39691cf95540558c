"""Batches on a real SLURM: started, watched from outside, and what they made."""

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil
from safetensors import safe_open

from tests.slurm_cluster import run
from tests.workflow.project import ENVIRONMENT, snakemake_command

IN_HASTE = (
    *("--latency-wait", "5"),
    *("--slurm-init-seconds-before-status-checks", "2"),
    *("--seconds-between-status-checks", "2"),
    *("--set-threads", "report=1"),
)
"""Beside the profile: how often its driver looks at the queue, and one thread a job."""
NOT_WHOLE = ("logs", "benchmarks")  # are written line by line, and meant to be


@dataclass(frozen=True)
class Submission:
    """A job as SLURM's accounting has it; one that was queued again has several."""

    number: str
    comment: str
    state: str
    start: datetime | None
    end: datetime | None
    requested: str


def submissions(prefix: str) -> list[Submission]:
    """Return the jobs whose names begin so, each run of each."""
    columns = "jobidraw,jobname,comment,state,start,end,reqtres"
    window = "--starttime=now-1days"  # sacct's own begins at midnight: a test begun before it would find nothing
    shape = ("--noheader", "--parsable2", f"--format={columns}%200")
    listed = run("sacct", "--allocations", "--duplicates", window, *shape)
    found = []
    for number, name, comment, state, start, end, requested in csv.reader(io.StringIO(listed), delimiter="|"):
        if name.startswith(prefix):
            times = [datetime.fromisoformat(text) if text[0].isdigit() else None for text in (start, end)]
            found.append(Submission(number, comment, state, *times, requested))
    return found


def overlaps(prefix: str) -> list[tuple[Submission, Submission]]:
    """Return pairs of runs of the same stage of the same clip that were running at the same time."""
    ran = [job for job in submissions(prefix) if job.start and job.end]
    return [
        (one, other)
        for index, one in enumerate(ran)
        for other in ran[index + 1 :]
        if one.comment == other.comment and one.start < other.end and other.start < one.end
    ]


def start_on_slurm(project: Path, prefix: str, *options: str) -> subprocess.Popen[bytes]:
    """Start Snakemake with the slurm profile; its words go to driver.log."""
    command = snakemake_command("--workflow-profile", "slurm", *IN_HASTE, "--slurm-jobname-prefix", prefix, *options)
    with (project / "driver.log").open("a") as log:
        return subprocess.Popen(command, cwd=project, stdout=log, stderr=log, env=ENVIRONMENT, start_new_session=True)


def wait_until(happened: Callable[[], object], project: Path, seconds: float = 240) -> None:
    """Wait for something that jobs do."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, _words(project)
        time.sleep(0.1)


def finish(driver: subprocess.Popen[bytes], project: Path, seconds: float = 400) -> None:
    """Wait for a driver's end, which must be a good one."""
    assert driver.wait(seconds) == 0, _words(project)


def _words(project: Path) -> str:
    """Return the last words of a project's drivers."""
    logs = [project / "driver.log", project / "results" / ".batch" / "driver.log"]
    return "\n".join(log.read_text(errors="replace")[-6000:] for log in logs if log.exists())


def clear(project: Path) -> None:
    """End what a failed test left behind: its driver, then its jobs."""
    known = project / "results" / ".batch" / "driver.json"
    pids = [json.loads(known.read_text())["pid"]] if known.exists() else []
    for process in [*psutil.Process().children(), *(psutil.Process(pid) for pid in pids if psutil.pid_exists(pid))]:
        with suppress(psutil.Error):  # it has just ended
            if any("snakemake" in word or "lib.batch.command" in word for word in process.cmdline()):
                process.kill()
    run("scancel", "--user=root")
    wait_until(lambda: not run("squeue", "--noheader"), project, 60)


def in_queue(prefix: str, states: str = "pending,running") -> list[str]:
    """Return the numbers of the jobs in the queue whose names begin so."""
    listed = run("squeue", "--noheader", f"--states={states}", "--format=%i %j")
    return [line.split()[0] for line in listed.splitlines() if line.split()[1].startswith(prefix)]


def live_job(prefix: str) -> str:
    """Return the number of the one running job whose name begins so."""
    (job,) = in_queue(prefix, "running")
    return job


def run_batch(project: Path, *words: str, code: int | None = 0) -> None:
    """Run a verb of ./batch in a project, and hold it to an exit code; None: any."""
    environment = {**ENVIRONMENT, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with (project / "driver.log").open("a") as log:
        answer = subprocess.run(("./batch", *words), cwd=project, stdout=log, stderr=log, env=environment, timeout=3000)
    assert code in (None, answer.returncode), _words(project)


@contextmanager
def watched(results: Path) -> Iterator[None]:
    """Open each file the moment it appears under its final name: it must be whole, and never change afterwards."""
    seen: dict[tuple[str, int], str] = {}
    problems: list[str] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            _look(results, seen, problems)
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
    _look(results, seen, problems)
    for (path, inode), content in seen.items():
        if Path(path).exists() and Path(path).stat().st_ino == inode and _content(Path(path)) != content:
            problems.append(f"{path} changed under its final name")
    assert seen and not problems, problems


def _look(results: Path, seen: dict[tuple[str, int], str], problems: list[str]) -> None:
    for path in results.rglob("*"):
        parts = path.relative_to(results).parts
        if parts[0] in NOT_WHOLE or any(part.startswith(".") for part in parts):
            continue
        try:
            if not path.is_file() or (str(path), path.stat().st_ino) in seen:
                continue
            seen[str(path), path.stat().st_ino] = _content(path)
            problem = _incomplete(path)
        except FileNotFoundError:
            continue  # removed between two looks: a failed job's
        if problem:
            problems.append(f"{path}: {problem}")


def _content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _incomplete(path: Path) -> str:
    """Say what a file lacks; empty if it is whole as far as its format tells."""
    try:
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as opened:
                list(opened.keys())
        elif path.stat().st_size == 0:
            return "empty"
    except FileNotFoundError:
        raise
    except Exception as error:
        return repr(error)
    return ""
