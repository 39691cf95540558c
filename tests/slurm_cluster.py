"""A real SLURM of one node and two pretended GPUs, started for tests: `python -m tests.slurm_cluster` holds one.

It knows three nodes more, in a partition of their own; `tests.slurm_nodes` starts those.
"""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

FOLDER = Path("/var/tmp/slurm-test-cluster")  # always the same, so that what a killed run left behind is found
CONFIG = Path("/etc/slurm")  # SLURM's commands read it, and Snakemake's plugin drops what names another
PACKAGES = ("slurm-wlm", "slurm-wlm-basic-plugins", "slurmdbd", "munge", "mariadb-server")
OURS = "# Written by tests/slurm_cluster.py\n"
PROGRAMS = ("munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd", "sbatch", "srun", "sacctmgr")
NUM_GPUS = 2
NODES = {"node-a": 16821, "node-b": 16822, "node-c": 16823}  # further nodes, by name, and the port of each
SECONDS = 60.0  # that a daemon may take to answer

SLURM_CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthInfo=socket={folder}/munge.socket,cred_expire=8
StateSaveLocation={folder}/ctld
SlurmdSpoolDir={folder}/slurmd-%n
SlurmctldPidFile={folder}/slurmctld.own-pid
SlurmdPidFile={folder}/slurmd-%n.own-pid
TaskProlog={folder}/task-prolog
SlurmctldPort=16817
SlurmdPort=16818
ReturnToService=1
MailProg=/bin/true
MpiDefault=none
# A node that a test puts down stays down (ReturnToService=1); one that was only slow to answer comes back.
# cred_expire above is how long a job that was queued again waits, two minutes otherwise.
# No cgroups in a container: processes are found by their parents, memory is sampled and enforced every two seconds.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=1,sched_interval=5,bf_interval=5
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=10
GresTypes=gpu
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=16819
AccountingStoragePass={folder}/munge.socket
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
NodeName={host} NodeAddr=127.0.0.1 CPUs=16 RealMemory=200000 Gres=gpu:a100:{num_gpus}
PartitionName=gpu Nodes={host} Default=YES MaxTime=INFINITE PriorityTier=1 GraceTime=8
PartitionName=urgent Nodes={host} MaxTime=INFINITE PriorityTier=10 PreemptMode=OFF
"""
MORE_NODES = """
{nodes}
PartitionName=nodes Nodes={names} MaxTime=INFINITE PriorityTier=1
"""
NODE = "NodeName={name} NodeAddr=127.0.0.1 Port={port} CPUs=16 RealMemory=200000 Gres=gpu:a100:1"
TASK_PROLOG = """#!/bin/sh
# What the node's clock says to its jobs; a test writes it.
clock={folder}/$(hostname).clock
! test -r "$clock" || cat "$clock"
"""
GRES_CONF = """AutoDetect=off
NodeName={host} Name=gpu Type=a100 File={folder}/nvidia[0-{last}]
NodeName={names} Name=gpu Type=a100 File={folder}/nvidia0
"""
SLURMDBD_CONF = """
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort=16819
SlurmUser=root
PidFile={folder}/slurmdbd.own-pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm
"""


def why_not() -> str | None:
    """Return why no cluster can be started here; None where one can."""
    missing = [program for program in PROGRAMS if not _find(program)]
    if missing:
        return f"SLURM is not installed ({', '.join(missing)} missing): apt install {' '.join(PACKAGES)}"
    if os.geteuid() != 0:
        return "only root can start a SLURM cluster"
    config = CONFIG / "slurm.conf"
    if config.exists() and not config.read_text(encoding="utf-8").startswith(OURS):
        return f"{config} belongs to a real cluster"
    return None


def _find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


@contextmanager
def cluster() -> Iterator[None]:
    """Run a cluster, the only one on this machine; what it started is stopped at the end, by its process id."""
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    with FOLDER.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another session's cluster: wait for its end
        _stop()  # what a killed session left behind
        shutil.rmtree(FOLDER, ignore_errors=True)
        try:
            _start()
            yield
        finally:
            _stop()


def _start() -> None:
    _configure()
    files = [f"--{name}-file={FOLDER}/munge.{name}" for name in ("key", "seed", "pid", "log")]
    start_daemon("munged", "munged", "--foreground", f"--socket={FOLDER}/munge.socket", *files)
    _wait(lambda: (FOLDER / "munge.socket").exists(), "munged")
    where = (f"--datadir={FOLDER}/database", f"--socket={FOLDER}/mysql.socket")
    options = ("--no-defaults", "--user=root", "--skip-networking", f"--pid-file={FOLDER}/own-pid")
    start_daemon("mariadbd", "mariadbd", *options, *where)
    _wait(lambda: (FOLDER / "mysql.socket").exists(), "mariadbd")
    start_daemon("slurmdbd", "slurmdbd", "-D")
    _wait(lambda: _answers("sacctmgr", "-n", "show", "cluster"), "slurmdbd")
    for words in (["cluster", "test"], ["account", "video"], ["user", "root", "account=video"]):
        run("sacctmgr", "-i", "add", *words)
    start_daemon("slurmctld", "slurmctld", "-D", "-i")
    _wait(lambda: _answers("scontrol", "ping"), "slurmctld")
    start_daemon("slurmd", "slurmd", "-D")
    wait_for_node(socket.gethostname(), "slurmd")


def wait_for_node(node: str, daemon: str) -> None:
    """Wait until a node takes jobs."""
    _wait(lambda: run("sinfo", "--noheader", "--format=%T", f"--nodes={node}").split()[:1] == ["idle"], daemon)


def _configure() -> None:
    """Write keys, an empty database, devices and configuration."""
    for folder in ("ctld", "database"):
        (FOLDER / folder).mkdir(parents=True)
    FOLDER.chmod(0o755)
    key = FOLDER / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    run("mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={FOLDER}/database", "--skip-test-db",
        "--auth-root-authentication-method=socket")  # fmt: skip
    for number in range(NUM_GPUS):
        _make_device(FOLDER / f"nvidia{number}")
    prolog = FOLDER / "task-prolog"
    prolog.write_text(TASK_PROLOG.format(folder=FOLDER))
    prolog.chmod(0o755)
    facts = {"host": socket.gethostname(), "folder": FOLDER, "num_gpus": NUM_GPUS, "last": NUM_GPUS - 1}
    nodes = "\n".join(NODE.format(name=name, port=port) for name, port in NODES.items())
    facts |= {"names": ",".join(NODES), "nodes": nodes}
    CONFIG.mkdir(exist_ok=True)
    texts = {"slurm.conf": SLURM_CONF + MORE_NODES, "gres.conf": GRES_CONF, "slurmdbd.conf": SLURMDBD_CONF}
    for name, text in texts.items():
        (CONFIG / name).write_text(OURS + text.format(**facts), encoding="utf-8")
        (CONFIG / name).chmod(0o600 if name == "slurmdbd.conf" else 0o644)


def _make_device(path: Path) -> None:
    """Make what stands for a GPU: SLURM only counts it and hands out its number."""
    try:
        os.mknod(path, 0o666 | 0o020000, os.makedev(1, 3))
    except PermissionError:
        path.touch()


def start_daemon(name: str, program: str, *options: str) -> None:
    """Start a daemon in a session of its own; its log and its process id go to the cluster's folder, by its name."""
    command = [str(_find(program)), *options]
    environment = {**os.environ, "MYSQL_UNIX_PORT": f"{FOLDER}/mysql.socket"}
    with (FOLDER / f"{name}.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, env=environment)
    (FOLDER / f"{name}.pid").write_text(f"{process.pid} {psutil.Process(process.pid).create_time()}")


def _stop() -> None:
    """End all jobs, then the daemons in the order against that of their start."""
    if (FOLDER / "slurmctld.pid").exists() and is_running("slurmctld"):
        subprocess.run(["scancel", "--full", "--signal=KILL", "--user=root"], capture_output=True, timeout=SECONDS)
    for name in (*NODES, "slurmd", "slurmctld", "slurmdbd", "mariadbd", "munged"):
        for process in is_running(name):
            _end(process, signal.SIGKILL if name in NODES else signal.SIGTERM)
    for process in psutil.process_iter(["name"]):  # a step outlives its slurmd; no other cluster is on this machine
        if process.info["name"] == "slurmstepd":
            for child in [*process.children(recursive=True), process]:
                _end(child, signal.SIGKILL)
    for name in ("slurm.conf", "gres.conf", "slurmdbd.conf"):
        path = CONFIG / name
        if path.exists() and path.read_text(encoding="utf-8").startswith(OURS):
            path.unlink()


def is_running(name: str) -> list[psutil.Process]:
    """Return the daemon that a cluster of ours started, if it still runs."""
    try:
        pid, created = (FOLDER / f"{name}.pid").read_text().split()
        process = psutil.Process(int(pid))
    except (OSError, ValueError, psutil.Error):
        return []
    return [process] if abs(process.create_time() - float(created)) < 1 else []


def _end(process: psutil.Process, signal_number: int = signal.SIGTERM) -> None:
    try:
        process.send_signal(signal_number)
        process.wait(15)
    except psutil.TimeoutExpired:
        process.kill()
    except psutil.Error:
        pass  # it ended by itself


def _answers(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, timeout=SECONDS).returncode == 0


def _wait(happened: Callable[[], bool], what: str) -> None:
    """Wait until a daemon answers."""
    deadline = time.monotonic() + SECONDS
    while not happened():
        if time.monotonic() > deadline or not is_running(what):
            log = (FOLDER / f"{what}.log").read_text(encoding="utf-8", errors="replace")
            raise TimeoutError(f"{what} does not answer:\n{log[-3000:]}")
        time.sleep(0.2)


def run(*command: str) -> str:
    """Run one of SLURM's commands and return what it prints."""
    answer = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    assert answer.returncode == 0, f"{' '.join(command)}: {answer.stdout}{answer.stderr}"
    return answer.stdout


if __name__ == "__main__":
    assert why_not() is None, why_not()
    with cluster():
        print("A cluster runs until Ctrl-C.", flush=True)
        signal.sigwait([signal.SIGINT, signal.SIGTERM])
