"""Nodes of the tests' SLURM that are as apart as machines: each has its own host name, processes, boot and /tmp.

Linux's namespaces hold them apart. What they share is the disk, below /tmp just the folders that are named, the network
and the processor; a clock of its own is given to the jobs of a node by `tests.wrong_clock`.
"""

import shutil
import sys
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import ROOT
from tests.slurm_cluster import FOLDER, NODES, is_running, run, start_daemon, wait_for_node
from tests.wrong_clock import clock_variables

TMP = Path("/tmp")
ALONE = ("--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private")
BECOME_NODE = """
set -e
name=$1 own=$2; shift 2
hostname "$name"
mount --bind "$own/boot_id" /proc/sys/kernel/random/boot_id
for shared; do
    mkdir -p "$own$shared"
    mount --rbind "$shared" "$own$shared"
done
mount --rbind "$own/tmp" /tmp
mount -t tmpfs tmpfs /dev/shm
slurmd -D -N "$name" &
wait  # the first process of a machine waits for those that nobody waits for
"""


@contextmanager
def all_nodes(*shared: Path) -> Iterator[None]:
    """Run all nodes; folders below /tmp that they share beside the project and its Python are named."""
    try:
        for name in NODES:
            start_node(name, *shared)
        yield
    finally:
        for name in NODES:
            kill_node(name)
            set_clock(name, 0)


def start_node(name: str, *shared: Path) -> None:
    """Start a node, of which nothing may be running."""
    own = FOLDER / name
    shutil.rmtree(own, ignore_errors=True)
    (own / "tmp").mkdir(parents=True)
    (own / "tmp").chmod(0o1777)
    (own / "boot_id").write_text(f"{uuid.uuid4()}\n")
    below = _below_tmp([*shared, ROOT, Path(sys.prefix), Path(sys.base_prefix)])
    start_daemon(name, "unshare", *ALONE, "sh", "-c", BECOME_NODE, name, name, str(own), *map(str, below))
    wait_for_node(name, name)


def kill_node(name: str) -> None:
    """Take the power from a node: all its processes are gone at once, and nobody is told."""
    for process in is_running(name):
        process.kill()
        process.wait(15)


def set_clock(name: str, seconds: float) -> None:
    """Let the clock of a node's jobs go ahead, or behind; files keep the times that the disk gives them."""
    clock = FOLDER / f"{name}.clock"
    clock.unlink(missing_ok=True)
    if seconds:
        variables = clock_variables(seconds, FOLDER)
        clock.write_text("".join(f"export {name}={value}\n" for name, value in variables.items()))


def node_of(job: str) -> str:
    """Return the node on which a job runs."""
    return run("squeue", "--noheader", "--format=%N", f"--jobs={job}").strip()


def _below_tmp(folders: Collection[Path]) -> list[Path]:
    """Return the folders that lie in /tmp, as they are and without links; nothing that lies in another of them."""
    named = {path for folder in folders for path in (folder.absolute(), folder.resolve())}
    found = sorted(path for path in named if TMP in path.parents)
    return [path for path in found if not any(other in path.parents for other in found)]
