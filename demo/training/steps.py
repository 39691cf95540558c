"""What the training commands share: a step captured as a CUDA graph, a learning rate over time, checkpoints."""

import atexit
import os
from collections.abc import Callable
from math import cos, pi
from pathlib import Path
from typing import Any

import torch

CHECKPOINT_SECONDS = 30


def capture_step(step: Callable[[], torch.Tensor], num_warm_ups: int = 4) -> Callable[[], torch.Tensor]:
    """Record a whole training step as a CUDA graph, so that replaying it launches everything at once.

    Args:
        step: forward, backward and a capturable optimizer's step, on tensors that stay where they are.
        num_warm_ups: times that it runs before the recording.

    Returns:
        The replay, returning the same loss tensor each time. On the CPU: `step` itself.
    """
    if not torch.cuda.is_available():
        return step
    side_stream = torch.cuda.Stream()
    side_stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side_stream):
        for _ in range(num_warm_ups):
            step()
    torch.cuda.current_stream().wait_stream(side_stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step()

    def replay() -> torch.Tensor:
        graph.replay()
        return loss

    return replay


def capture_shared_step(
    loss_of: Callable[[], torch.Tensor],
    update: Callable[[], None],
    parameters: list[torch.nn.Parameter],
    num_warm_ups: int = 4,
) -> Callable[[], torch.Tensor]:
    """Record a step in two CUDA graphs, between which gradients are averaged over all processes, where there are more.

    Args:
        loss_of: the loss, on tensors that stay where they are; its gradients are added up here.
        update: clips the gradients and takes the optimizers' steps.
        parameters: whose gradients are averaged; all must have one.
        num_warm_ups: times that it runs before the recording.
    """

    def backward() -> torch.Tensor:
        for parameter in parameters:
            parameter.grad = None
        loss = loss_of()
        loss.backward()
        return loss.detach()

    if not torch.distributed.is_initialized():

        def whole() -> torch.Tensor:
            loss = backward()
            update()
            return loss

        return capture_step(whole, num_warm_ups)

    def gradients() -> list[torch.Tensor]:
        return [parameter.grad for parameter in parameters if parameter.grad is not None]

    if not torch.cuda.is_available():

        def step() -> torch.Tensor:
            loss = backward()
            average_over_processes(gradients())
            update()
            return loss

        return step
    side_stream = torch.cuda.Stream()
    side_stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side_stream):
        for _ in range(num_warm_ups):
            backward()
            average_over_processes(gradients(), torch.bfloat16)
            update()
    torch.cuda.current_stream().wait_stream(side_stream)
    first, second = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
    with torch.cuda.graph(first):
        loss = backward()
    kept = gradients()  # where the graph leaves them
    with torch.cuda.graph(second, pool=first.pool()):
        update()

    def replay() -> torch.Tensor:
        first.replay()
        average_over_processes(kept, torch.bfloat16)  # half the bytes: GPUs may share no memory
        second.replay()
        return loss

    return replay


def make_adamw(parameters: list[torch.nn.Parameter], weight_decay: float) -> torch.optim.AdamW:
    """Make an AdamW that a CUDA graph can hold; its learning rate is a tensor, set with `set_learning_rate`."""
    on_gpu = parameters[0].is_cuda
    rate: Any = torch.tensor(0.0, device=parameters[0].device) if on_gpu else 0.0
    return torch.optim.AdamW(
        parameters, lr=rate, betas=(0.9, 0.99), weight_decay=weight_decay, capturable=on_gpu, fused=True
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, progress: float, peak: float, warm_up: float = 0.02) -> None:
    """Follow a rise over the first share `warm_up` and a cosine fall to 0 at `progress` 1."""
    rising = min(progress / warm_up, 1.0)
    rate = peak * rising * 0.5 * (1 + cos(pi * min(progress, 1.0)))
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def clip_gradients(parameters: list[torch.nn.Parameter], largest_norm: float) -> None:
    """Scale gradients down to a norm; gradients that are not finite become 0, so that they spoil no weight."""
    torch.nn.utils.clip_grad_norm_(parameters, largest_norm, foreach=True)
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad.nan_to_num_(0.0, 0.0, 0.0)


def join_processes() -> tuple[int, int]:
    """Join the other processes that torchrun started, one for each GPU.

    Returns:
        This process's number and how many there are; (0, 1) without torchrun.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return 0, 1
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    atexit.register(torch.distributed.destroy_process_group)  # else its threads outlive Python and abort
    return torch.distributed.get_rank(), count


def average_over_processes(tensors: list[torch.Tensor], dtype: torch.dtype = torch.float32) -> None:
    """Replace tensors by their mean over all processes, in one exchange of numbers of a type."""
    if torch.distributed.is_initialized():
        flat = torch.cat([tensor.reshape(-1).to(dtype) for tensor in tensors])
        torch.distributed.all_reduce(flat)  # the sum
        flat /= torch.distributed.get_world_size()
        parts = flat.split([tensor.numel() for tensor in tensors])
        torch._foreach_copy_(tensors, [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)])


def save_checkpoint(path: Path, tensors: dict[str, Any]) -> None:
    """Write a checkpoint whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    torch.save(tensors, temporary)
    temporary.replace(path)


def load_checkpoint(path: Path, device: str) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote; an empty dictionary where there is nothing."""
    if not path.exists():
        return {}
    checkpoint: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return checkpoint


class Interruptible:
    """A training that goes on after an interruption: its weights, its optimizer, and how far it was.

    Attributes:
        seconds, steps: done before, 0 where there is no checkpoint.
    """

    def __init__(self, path: Path | None, modules: list[torch.nn.Module], optimizer: torch.optim.Optimizer) -> None:
        """Load the checkpoint, where there is one, before a CUDA graph is made of the step; None: keep none."""
        self.path, self.modules, self.optimizer = path, modules, optimizer
        device = str(next(modules[0].parameters()).device)
        checkpoint = load_checkpoint(path, device) if path else {}
        self.seconds, self.steps = checkpoint.get("seconds", 0.0), checkpoint.get("steps", 0)
        self._saved = self.seconds
        if checkpoint:
            for module, weights in zip(modules, checkpoint["modules"], strict=True):
                module.load_state_dict(weights)
            optimizer.load_state_dict(checkpoint["optimizer"])
            torch.manual_seed(self.steps)  # not the draws of the first steps again

    def save(self, seconds: float, steps: int, least_seconds: float = CHECKPOINT_SECONDS) -> None:
        """Write a checkpoint, if the last one is old enough."""
        if self.path and seconds - self._saved >= least_seconds:
            state = {"modules": [module.state_dict() for module in self.modules]}
            save_checkpoint(
                self.path, {**state, "optimizer": self.optimizer.state_dict(), "seconds": seconds, "steps": steps}
            )
            self._saved = seconds


def prepare_gpu() -> str:
    """Allow TF32, let cuDNN choose its kernels, and name the device."""
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    return "cuda" if torch.cuda.is_available() else "cpu"
