"""Another tool's video is not measured with a mask that is held back."""

from pathlib import Path

import pytest

from lib.core.errors import InputError, Problem
from lib.core.files import write_json
from lib.masks.refusals import refusal
from lib.stages.evaluate import Evaluate, Inputs, Outputs, evaluate
from lib.stages.job import Job


def test_an_edit_that_is_not_made_for_its_mask_is_not_measured(tmp_path: Path) -> None:
    """Its mask is empty: all of the frame would count as background."""
    names = ("edited", "source", "facts", "first_frame", "mask", "round_trip", "embeddings", "motion")
    held = refusal(Problem("edit_mask", "confidence 0.2", "at least 0.5, or a mask of your own"), "car", "red")
    write_json(tmp_path / "edit_mask.json", held)
    inputs = Inputs(**{name: tmp_path / name for name in names}, mask_facts=tmp_path / "edit_mask.json")
    outputs = Outputs(metrics=tmp_path / "metrics.json", difference=tmp_path / "difference.mp4")
    params = Evaluate(metrics={}, mask={}, video={}, model={}, windows=[])
    with pytest.raises(InputError, match="confidence 0.2"):
        evaluate(inputs, outputs, params, Job(tmp_path / "log", 1))
