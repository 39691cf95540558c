"""Host memory that a GPU can copy from and to while it computes."""

import weakref

import torch


def pinned_bytes(num_bytes: int, device: torch.device) -> torch.Tensor:
    """Return host memory (num_bytes,) uint8, page-locked where the device is a GPU.

    Locked by hand, since PyTorch's own pinned memory is rounded up to a power of two: a third more for a block of 14B.

    Raises:
        MemoryError: the system lets no more memory be locked.
    """
    host = torch.empty(num_bytes, dtype=torch.uint8)
    if device.type == "cuda":
        runtime = torch.cuda.cudart()  # type: ignore[no-untyped-call]
        error = runtime.cudaHostRegister(host.data_ptr(), num_bytes, 0)
        if int(error) != 0:
            raise MemoryError(f"{num_bytes / 2**30:.1f} GiB of host memory could not be locked for the GPU: {error}")
        weakref.finalize(host, runtime.cudaHostUnregister, host.data_ptr()).atexit = False
    return host


def send(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a tensor of the host on a device; a GPU copies it when it gets there, and the host does not wait."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values.to(device)
