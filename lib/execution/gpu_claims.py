"""One GPU for each job of this machine: a claim that ends with the process, and that the others cannot take.

Snakemake counts GPUs, but does not say which one is a job's; SLURM does.
"""

import fcntl
import os
import re
import tempfile
import time
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path

VISIBLE, CLAIMED = "CUDA_VISIBLE_DEVICES", "CLAIMED_GPU"  # environment variables; ours says that a claim is held
NO_DEVICE = ("", "-1", "NoDevFiles")
SECONDS_BETWEEN_TRIES = 1.0


def count_gpus() -> int:
    """Return the number of GPUs that the NVIDIA driver shows on this machine."""
    return len([path for path in Path("/dev").glob("nvidia*") if re.fullmatch(r"nvidia\d+", path.name)])


def claim_gpu(environment: MutableMapping[str, str], num_gpus: int, folder: Path | None = None) -> str | None:
    """Choose a GPU that no other job has, and let this process see no other; wait until one is free.

    To be called before CUDA is used. The claim lasts until the process ends, however it does.

    Args:
        environment: of this process; GPUs that the user named in CUDA_VISIBLE_DEVICES are chosen among.
        num_gpus: of the machine.
        folder: of the claims, the same for all jobs of a machine; None: the usual one.

    Returns:
        The GPU; None where there is nothing to choose: no GPU, the one that SLURM gave, or one is claimed already.
    """
    given = environment.get(VISIBLE)
    candidates = [str(index) for index in range(num_gpus)] if given is None else given.split(",")
    candidates = [name for name in candidates if name not in NO_DEVICE]
    given_by_slurm = "SLURM_JOB_ID" in environment and len(candidates) == 1
    if not candidates or not num_gpus or given_by_slurm or CLAIMED in environment:
        return None
    folder = folder or Path(tempfile.gettempdir()) / "video-editing-gpus"
    told = False
    while not (gpu := next((name for name in candidates if _take(folder, name)), None)):
        if not told:
            print(f"waiting for a GPU: other jobs have {', '.join(candidates)}", flush=True)
            told = True
        time.sleep(SECONDS_BETWEEN_TRIES)
    environment[VISIBLE] = environment[CLAIMED] = gpu
    return gpu


def _take(folder: Path, name: str) -> bool:
    """Lock a GPU's file, if nobody has; it stays open, and so locked, until the process ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(PermissionError):  # made by another user, who did the same
        folder.chmod(0o777)
    path = folder / re.sub(r"\W", "_", name)
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    return True


def is_gpu_granted(environment: Mapping[str, str]) -> bool:
    """Tell whether a scheduler gave this job a GPU, or the machine shows one that was not hidden from it."""
    if (visible := environment.get(VISIBLE)) is not None:
        return any(name not in NO_DEVICE for name in visible.split(","))
    return any(environment.get(name) for name in ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS")) or count_gpus() > 0
