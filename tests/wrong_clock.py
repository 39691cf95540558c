"""Python on a machine whose clock is wrong; files keep the times that the disk gives them, as on a network disk.

A small library stands before the C library's clocks. libfaketime is no help: under it (0.9.10) Python's sleep or its
waiting fails, since both go by the monotonic clock, which is right on a machine whose clock is wrong.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

SOURCE = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    const char *ahead = getenv("SECONDS_AHEAD");
    if (!failed && ahead && clock == CLOCK_REALTIME && !strncmp(program_invocation_short_name, "python", 6))
        now->tv_sec += atol(ahead);  /* not srun, which waits until a time of the kernel's clock */
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now) *now = exact.tv_sec;
    return exact.tv_sec;
}
"""
needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler: apt install gcc libc6-dev")


def clock_variables(seconds: float, folder: Path) -> dict[str, str]:
    """Return the environment variables of processes whose clock is ahead by so much; below 0: behind.

    Args:
        folder: where the library goes.
    """
    library = folder / "wrong_clock.so"
    if not library.exists():
        command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), "-x", "c", "-"]
        subprocess.run(command, input=SOURCE, text=True, check=True)
    return {"LD_PRELOAD": str(library), "SECONDS_AHEAD": f"{seconds:.0f}"}


def run_with_clock(seconds: float, folder: Path, code: str, *arguments: str) -> str:
    """Run Python's words on a machine whose clock is ahead by so much; return what they print."""
    environment = {**os.environ, **clock_variables(seconds, folder)}
    command = [sys.executable, "-c", code, *arguments]
    answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout
