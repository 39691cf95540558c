"""Where tensors live and how torch is set up for a stage."""

import os
from pathlib import Path

import torch

from lib.execution.gpu_claims import VISIBLE, claim_gpu, count_gpus, is_gpu_granted


def prepare_torch(device: str, dtype: str, num_threads: int) -> tuple[torch.device, torch.dtype]:
    """Choose device and type for a stage and make its results repeatable on this machine.

    Args:
        device: `auto` takes the GPU when there is one; or `cpu`, `cuda`.
        dtype: `auto` is bfloat16 on a GPU and float32 on the CPU; or `float32`, `bfloat16`.
        num_threads: CPU threads granted by the scheduler; sums depend on it, so it is always set.

    Raises:
        RuntimeError: a GPU is there, granted or asked for, and cannot be used: never the CPU in its stead.
    """
    torch.set_num_threads(num_threads)
    # A checkpoint's files are read side by side. diffusers looks at this once, when it is imported: after this call.
    os.environ.setdefault("HF_ENABLE_PARALLEL_LOADING", "YES")
    if device != "cpu":
        visible = os.environ.get(VISIBLE)
        claimed = claim_gpu(os.environ, count_gpus())
        if claimed is not None and torch.cuda.is_available() and torch._C._cuda_getDeviceCount() > 1:
            # CUDA was asked something before, by a library's import say, and no longer heeds the environment: it is
            # chosen by its place among those that CUDA sees, and the environment tells again what CUDA goes by.
            os.environ.pop(VISIBLE) if visible is None else os.environ.update({VISIBLE: visible})
            torch.cuda.set_device(visible.split(",").index(claimed) if visible else int(claimed))
    kind = device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    if device != "cpu" and not torch.cuda.is_available() and (device == "cuda" or is_gpu_granted(os.environ)):
        raise RuntimeError(f"a GPU that cannot be used: {_why_no_cuda()}; model.device: cpu would do without it")
    if kind == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS needs it to be deterministic
        # What is compiled for one job serves the next, on every machine that shares the home folder.
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(Path.home() / ".cache" / "first-frame-video-editing"))
        os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")  # less lost between allocations
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # only finds bugs
    precision = dtype if dtype != "auto" else "bfloat16" if kind == "cuda" else "float32"
    return torch.device(kind), {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]


def _why_no_cuda() -> str:
    """Say what CUDA says of itself where it does not work."""
    if torch.version.cuda is None:
        return f"PyTorch {torch.__version__} is built without CUDA"
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except (RuntimeError, AssertionError) as error:
        return " ".join(str(error).split())
    return "CUDA finds no device"


def describe_device(device: torch.device) -> str:
    """Name a device for the record: a GPU's model too, on which results depend."""
    return str(device) if device.type == "cpu" else f"{device} ({torch.cuda.get_device_name(device)})"


def free_memory(device: torch.device) -> int | None:
    """Return the bytes that a GPU has free for this process; None: the device is the CPU."""
    if device.type != "cuda":
        return None
    free, total = torch.cuda.mem_get_info(device)
    granted = int(total * torch.cuda.get_per_process_memory_fraction(torch.cuda.current_device()))
    return min(free + torch.cuda.memory_reserved(device), granted)
