"""One training on several GPUs of a host: torch's distributed data parallel over processes that torchrun starts.

Each process holds the whole model and takes its share of every step's samples; gradients of the LoRA are averaged. All
draw the same noise for all samples, so that the number of processes changes a result by rounding alone.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

RANK = "RANK"  # environment variable that torchrun sets in each process


@dataclass(frozen=True)
class Replica:
    """One process of a training.

    Attributes:
        rank: from 0; the first one writes files.
        count: of processes.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process speaks for all."""
        return self.rank == 0


ALONE = Replica()


def is_replica() -> bool:
    """Tell whether torchrun started this process."""
    return RANK in os.environ


@contextmanager
def join_replicas(device: torch.device) -> Iterator[Replica]:
    """Meet the other processes of the training for the time of the block; alone where torchrun did not start this one.

    Args:
        device: of this process: its own GPU, or the CPU.
    """
    if not is_replica():
        yield ALONE
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Replica(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


class _OnOwnSamples(nn.Module):
    """A loss as DistributedDataParallel wants it: a module of the parameters that are trained, and of no other.

    The frozen model is not registered, since its weights are the same everywhere and may lie in host memory.
    """

    def __init__(self, loss_of: Callable[..., torch.Tensor], parameters: Sequence[nn.Parameter]) -> None:
        super().__init__()
        self.trained = nn.ParameterList(parameters)
        self.loss_of = loss_of

    def forward(self, *given: Any) -> torch.Tensor:
        return self.loss_of(*given)


def share_gradients(
    loss_of: Callable[..., torch.Tensor], parameters: Sequence[nn.Parameter], replica: Replica
) -> Callable[..., torch.Tensor]:
    """Return the loss, whose backward pass averages the parameters' gradients over all processes; alone, as it is.

    It takes what `loss_of` takes. Within `only_here` a backward pass adds to this process's gradients alone.
    """
    if replica.count == 1:
        return loss_of
    return DistributedDataParallel(_OnOwnSamples(loss_of, parameters))


def only_here(shared_loss: Callable[..., torch.Tensor]) -> Any:
    """Return a block in which gradients are added up in this process, to be averaged with those of a later pass."""
    return shared_loss.no_sync() if isinstance(shared_loss, DistributedDataParallel) else nullcontext()


def sum_over_replicas(value: torch.Tensor, replica: Replica) -> torch.Tensor:
    """Return the sum of a number over all processes, on its device."""
    if replica.count > 1:
        value = value.clone()
        dist.all_reduce(value)
    return value


def any_replica(happened: bool, device: torch.device, replica: Replica) -> bool:
    """Tell all processes whether something happened in one of them, so that they stop at the same step."""
    return (
        happened
        if replica.count == 1
        else bool(sum_over_replicas(torch.tensor(float(happened), device=device), replica))
    )
