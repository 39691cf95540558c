"""The losses of a training, read without making the GPU wait."""

import json
import math
import time
from collections.abc import Callable, Sequence

import torch

from lib.core.errors import InputError, Problem

_Moment = torch.cuda.Event | float  # on a GPU; on the CPU, in seconds


class LossCurve:
    """The loss of each step, read while the next step runs.

    A loss that is read at once leaves the GPU with nothing to do until the host has prepared the next step.
    """

    def __init__(
        self,
        rows: list[str],
        schedule: Sequence[tuple[int, ...]],
        show: Callable[[int, float], None],
        device: torch.device,
    ) -> None:
        """Go on with a curve.

        Args:
            rows: one JSON object a step: step, samples, loss, seconds; those to come are appended.
            schedule: the samples of each step.
            show: called with steps done and the loss of the last.
            device: where the losses are.
        """
        self._rows, self._schedule, self._show = rows, schedule, show
        self._unread: tuple[int, torch.Tensor, _Moment] | None = None
        self._device, self._begun = device, _now(device)

    def add(self, step: int, loss: torch.Tensor) -> None:
        """Take the loss of a step that was asked of the device, and read that of the step before; see `read`."""
        copied = loss.to("cpu", non_blocking=True)  # queued here, behind this step and before the next
        ended = _now(loss.device)
        self.read()
        self._unread = step, copied, ended

    def read(self) -> None:
        """Wait for the last step that was asked of the device, so that the curve holds all steps.

        Raises:
            InputError: its loss is not finite.
        """
        if self._unread is None:
            return
        (step, copied, ended), self._unread = self._unread, None
        seconds, self._begun = _seconds(self._begun, ended), ended
        loss = copied.item()
        if not math.isfinite(loss):
            found = f"a loss of {loss} at step {step}, or a gradient that is no number"
            problem = Problem("training.learning_rate", found, "a smaller rate")
            raise InputError([problem], kind="not_a_number")
        row = {"step": step, "samples": self._schedule[step - 1], "loss": loss, "seconds": round(seconds, 4)}
        self._rows.append(json.dumps(row))
        self._show(step, loss)

    def note(self, held_out: float) -> None:
        """Add the loss on held-out samples to the row of the step that was read last."""
        row = {**json.loads(self._rows[-1]), "held_out": held_out}
        self._rows[-1] = json.dumps(row)
        self._begun = _now(self._device)  # measuring it is no part of the next step's seconds
        print(f"held-out loss {held_out:.4f} after step {row['step']}", flush=True)


def _now(device: torch.device) -> _Moment:
    """Note the time: on a GPU when it gets there, since the host is ahead of it."""
    if device.type != "cuda":
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    event.record()
    return event


def _seconds(begun: _Moment, ended: _Moment) -> float:
    """Return the time between two moments, and wait for the second."""
    if isinstance(begun, torch.cuda.Event):
        assert isinstance(ended, torch.cuda.Event)
        ended.synchronize()
        return float(begun.elapsed_time(ended)) / 1000  # from ms
    assert not isinstance(ended, torch.cuda.Event)
    return ended - begun
