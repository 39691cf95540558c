"""A training that was stopped goes on to the same bits: all that its next step depends on, in one safetensors file."""

import hashlib
import json
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from lib.core.files import whole_file

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)  # a scheduler's preemption or time limit; Ctrl-C
PARAMETER, GENERATOR = "parameter", "generator"


@dataclass
class LoopState:
    """What changes from step to step in a training.

    Attributes:
        parameters: of the LoRA.
        adamw: the optimizer, with its moments.
        generator: of noise and sigmas.
        curve: the loss curve so far, one JSON object a step.
    """

    parameters: Sequence[nn.Parameter]
    adamw: torch.optim.AdamW
    generator: torch.Generator
    curve: list[str] = field(default_factory=list)


def state_path(lora_path: str | Path, expert: str = "") -> Path:
    """Return where the state of the training of a LoRA is kept while it runs.

    Args:
        lora_path: where the LoRA goes.
        expert: of a model of several, one after the first; empty: the first, or only one.
    """
    lora_path = Path(lora_path)
    return lora_path.with_name(f".{lora_path.stem}{expert and '.'}{expert}.state.safetensors")


def fingerprint(facts: Mapping[str, Any]) -> str:
    """Name a training by all that shapes its result, so that the state of another one is never taken up."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


@contextmanager
def state_writer(path: Path, training: str) -> Iterator[Callable[[LoopState, bool], None]]:
    """Yield a function that writes a state, whole or not at all, beside the training: at 14B it has a gigabyte.

    It takes the state, after a whole step, and whether to return only when it is written. It raises what went wrong
    with the write before, as the end of the block does with the last one.

    Args:
        path: of `state_path`.
        training: of `fingerprint`.
    """
    under_way: list[Future[None]] = []

    def wait() -> None:
        if under_way:
            under_way.pop().result()

    with ThreadPoolExecutor(1) as thread:

        def save(state: LoopState, until_written: bool) -> None:
            wait()
            under_way.append(thread.submit(_write, path, *_snapshot(state, training)))
            if until_written:
                wait()

        yield save
        wait()


def _snapshot(state: LoopState, training: str) -> tuple[dict[str, torch.Tensor], torch.cuda.Event | None, str]:
    """Ask for copies in host memory of all that the next step changes, and note when a GPU will have made them."""
    tensors = {GENERATOR: state.generator.get_state()}
    for index, parameter in enumerate(state.parameters):
        tensors[f"{PARAMETER}.{index}"] = parameter.detach()
        tensors |= {f"{name}.{index}": value for name, value in state.adamw.state[parameter].items()}
    copied = {name: tensor.contiguous().to("cpu", non_blocking=True, copy=True) for name, tensor in tensors.items()}
    ready = None
    if state.parameters[0].is_cuda:
        ready = torch.cuda.Event()  # type: ignore[no-untyped-call]
        ready.record()
    return copied, ready, json.dumps({"training": training, "curve": state.curve})


def _write(path: Path, tensors: Mapping[str, torch.Tensor], ready: torch.cuda.Event | None, known: str) -> None:
    if ready:
        ready.synchronize()
    with whole_file(path) as temporary:
        save_file(dict(tensors), temporary, metadata={"state": known})


def restore_state(path: Path, state: LoopState, training: str) -> bool:
    """Put a kept state in place of a fresh one; False, and nothing changed, where there is none of this training."""
    try:
        with safe_open(path, framework="pt") as opened:
            known = json.loads((opened.metadata() or {}).get("state", "{}"))
            if known.get("training") != training:
                print(f"{path.name} is of another training: not taken up")
                return False
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118, not a mapping
    except FileNotFoundError:
        return False
    except (OSError, SafetensorError, ValueError) as error:
        print(f"{path.name} cannot be read ({error}): not taken up")
        return False
    _fill(state, tensors)
    state.curve[:] = known["curve"]
    return True


def _fill(state: LoopState, tensors: Mapping[str, torch.Tensor]) -> None:
    state.generator.set_state(tensors[GENERATOR])
    with torch.no_grad():
        for index, parameter in enumerate(state.parameters):
            of_parameter = {
                name.rpartition(".")[0]: tensor for name, tensor in tensors.items() if name.endswith(f".{index}")
            }
            parameter.copy_(of_parameter.pop(PARAMETER))
            # AdamW's moments follow the parameter; its count of steps stays on the CPU unless it is fused.
            follows = bool(state.adamw.defaults["fused"])
            state.adamw.state[parameter] = {
                name: tensor.to(parameter.device) if tensor.ndim or follows else tensor
                for name, tensor in of_parameter.items()
            }


@contextmanager
def stop_signals() -> Iterator[list[str]]:
    """Catch the signals that end a job: the list given names those that came, to be looked at between steps."""
    received: list[str] = []

    def note(number: int, _: FrameType | None) -> None:
        received.append(signal.Signals(number).name)

    kept = {number: signal.signal(number, note) for number in STOP_SIGNALS}
    try:
        yield received
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
