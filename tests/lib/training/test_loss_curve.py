"""Losses are read a step late, so that a GPU always has the next step to do."""

import json

import pytest
import torch

from lib.core.errors import InputError
from lib.training.loss_curve import LossCurve


def test_a_loss_is_read_when_the_next_step_is_under_way() -> None:
    """The rows stay one step behind until all is waited for; they go on from those of an earlier run."""
    rows, shown = [json.dumps({"step": 1})], list[tuple[int, float]]()
    curve = LossCurve(rows, [(4,), (5, 6), (5, 7)], lambda *step: shown.append(step), torch.device("cpu"))
    curve.add(2, torch.tensor(0.5))
    assert len(rows) == 1
    curve.add(3, torch.tensor(0.25))
    assert shown == [(2, 0.5)]
    for _ in range(2):
        curve.read()
    assert shown == [(2, 0.5), (3, 0.25)]
    added = [json.loads(row) for row in rows[1:]]
    assert [(row["step"], row["samples"], row["loss"]) for row in added] == [(2, [5, 6], 0.5), (3, [5, 7], 0.25)]
    assert all(row["seconds"] >= 0 for row in added)


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_told_with_its_step(loss: float) -> None:
    """One step later than it was made, but by its own number, and it is not in the curve."""
    rows = list[str]()
    curve = LossCurve(rows, [(0,), (0,)], lambda *_: None, torch.device("cpu"))
    curve.add(1, torch.tensor(loss))
    with pytest.raises(InputError, match=f"a loss of {loss} at step 1"):
        curve.add(2, torch.tensor(0.5))
    assert rows == []
