"""Where tensors live and how torch is set up for a stage."""

import os

import torch

from lib.gpu_claims import claim_gpu, count_gpus


def prepare_torch(device: str, dtype: str, num_threads: int) -> tuple[torch.device, torch.dtype]:
    """Choose device and type for a stage and make its results repeatable on this machine.

    Args:
        device: `auto` takes the GPU when there is one; or `cpu`, `cuda`.
        dtype: `auto` is bfloat16 on a GPU and float32 on the CPU; or `float32`, `bfloat16`.
        num_threads: CPU threads granted by the scheduler; sums depend on it, so it is always set.
    """
    torch.set_num_threads(num_threads)
    if device != "cpu":
        claim_gpu(os.environ, count_gpus())
    kind = device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    if kind == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS needs it to be deterministic
        torch.use_deterministic_algorithms(True, warn_only=True)
    precision = dtype if dtype != "auto" else "bfloat16" if kind == "cuda" else "float32"
    return torch.device(kind), {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]


def free_memory(device: torch.device) -> int | None:
    """Return the bytes that a GPU has free for this process; None: the device is the CPU."""
    if device.type != "cuda":
        return None
    free, total = torch.cuda.mem_get_info(device)
    granted = int(total * torch.cuda.get_per_process_memory_fraction(torch.cuda.current_device()))
    return min(free + torch.cuda.memory_reserved(device), granted)
