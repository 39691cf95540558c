"""One GPU for each of a user's jobs on a machine: a claim that ends with the process, and that no other can take.

Snakemake counts GPUs, but does not say which one is a job's; SLURM does.
"""

import os
import re
import socket
import stat
import time
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from lib.core.errors import InputError, Problem
from lib.core.locks import try_lock

VISIBLE, CLAIMED = "CUDA_VISIBLE_DEVICES", "CLAIMED_GPU"  # environment variables; ours says that a claim is held
NO_DEVICE = ("", "-1", "NoDevFiles")
SECONDS_BETWEEN_TRIES = 1.0


def count_gpus() -> int:
    """Return the number of GPUs that the NVIDIA driver shows on this machine."""
    return len([path for path in Path("/dev").glob("nvidia*") if re.fullmatch(r"nvidia\d+", path.name)])


def claim_gpu(environment: MutableMapping[str, str], num_gpus: int, folder: Path | None = None) -> str | None:
    """Choose a GPU that no other job of this user has, and let this process see no other; wait until one is free.

    To be called before CUDA is used. The claim lasts until the process ends, however it does.

    Args:
        environment: of this process; GPUs that the user named in CUDA_VISIBLE_DEVICES are chosen among.
        num_gpus: of the machine.
        folder: of the claims, the same for all of a user's jobs on a machine; None: that of `claims_folder`.

    Returns:
        The GPU; None where there is nothing to choose: no GPU, the one that SLURM gave, or one is claimed already.

    Raises:
        InputError: claims cannot be kept where no other user can touch them.
    """
    given = environment.get(VISIBLE)
    candidates = [str(index) for index in range(num_gpus)] if given is None else given.split(",")
    candidates = [name for name in candidates if name not in NO_DEVICE]
    given_by_slurm = "SLURM_JOB_ID" in environment and len(candidates) == 1
    if not candidates or not num_gpus or given_by_slurm or CLAIMED in environment:
        return None
    folder = folder or claims_folder()
    told = False
    while not (gpu := next((name for name in candidates if _claim(folder, name)), None)):
        if not told:
            print(f"waiting for a GPU: other jobs have {', '.join(candidates)}", flush=True)
            told = True
        time.sleep(SECONDS_BETWEEN_TRIES)
    environment[VISIBLE] = environment[CLAIMED] = gpu
    return gpu


def claims_folder() -> Path:
    """Make the folder of a user's claims on this machine, which nobody else can touch.

    It is in the home, since what lies in /tmp depends on each job's TMPDIR and on other users; a home may be that of
    many machines, so it has this one's name.

    Raises:
        InputError: it cannot be made, or is not the user's alone.
    """
    folder = Path.home() / ".cache" / "first-frame-video-editing" / "gpus" / socket.gethostname()
    expected = "a folder of your own with mode 0700; remove what is there, and it is made so"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise InputError([Problem(str(folder), f"no folder that can be made ({error.strerror})", expected)]) from None
    if not stat.S_ISDIR(status.st_mode):
        raise InputError([Problem(str(folder), "a link or a file", expected)])
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        found = f"a folder of user {status.st_uid} with mode {stat.S_IMODE(status.st_mode):04o}"
        raise InputError([Problem(str(folder), found, expected)])
    return folder


def _claim(folder: Path, name: str) -> bool:
    """Lock a GPU's file, if nobody has; it stays open, and so locked, until the process ends."""
    path = folder / re.sub(r"\W", "_", name)
    try:
        return try_lock(path) is not None
    except OSError as error:
        found = f"what cannot be locked ({error.strerror})"
        raise InputError([Problem(str(path), found, "a plain file of yours on a disk with file locks")]) from None


def is_gpu_granted(environment: Mapping[str, str]) -> bool:
    """Tell whether a scheduler gave this job a GPU, or the machine shows one that was not hidden from it."""
    if (visible := environment.get(VISIBLE)) is not None:
        return any(name not in NO_DEVICE for name in visible.split(","))
    return any(environment.get(name) for name in ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS")) or count_gpus() > 0
