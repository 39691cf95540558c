"""A stage gets what its annotations name, typed; what a rule gives beside that, or leaves out, is an error."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from lib.config.sections import SamplingSection
from lib.config.training_sections import TrainingSection
from lib.core.files import read_json
from lib.stages.job import Files, Job, Params, call_stage, job_path, run_stage


class Inputs(Files):
    """Of the stage below."""

    picture: Path
    mask: Path | None
    references: tuple[Path, ...]


class Outputs(Files):
    """Of the stage below."""

    text: Path


class Settings(Params):
    """Of the stage below."""

    training: TrainingSection
    num_steps: int


def describe(inputs: Inputs, outputs: Outputs, params: Settings, job: Job) -> None:
    """Write down what was given, as a stage would use it."""
    print(f"rank {params.training.rank}")
    values = (inputs.picture.name, inputs.mask, len(inputs.references), params.training.rank, params.num_steps)
    outputs.text.write_text(f"{values} {job.num_threads}")


def given(folder: Path, **own: object) -> SimpleNamespace:
    """Return what Snakemake hands a script."""
    return SimpleNamespace(
        input={"picture": "a.png", "mask": [], "references": ["b.png", "c.png"]},
        output={"text": str(folder / "text")},
        params={"title": "describe: car", "version": 1, "training": {"rank": 4}, "own": {"num_steps": 3, **own}},
        log=[str(folder / "logs" / "describe.log")],
        threads=2,
        resources=SimpleNamespace(attempt=1),
    )


def test_a_stage_runs_in_its_log_and_is_described_beside_it(tmp_path: Path) -> None:
    """Files become paths, an empty optional one None, and the description is all that the stage needs again."""
    job = given(tmp_path)
    run_stage(describe, job)
    said = "('a.png', None, 2, 4, 3) 2"
    assert (tmp_path / "text").read_text() == said
    assert (tmp_path / "logs" / "describe.log").read_text().splitlines()[:2] == ["describe: car", "rank 4"]
    (tmp_path / "text").unlink()
    call_stage(describe, read_json(job_path(job.log[0])))
    assert (tmp_path / "text").read_text() == said


def test_a_key_that_no_rule_passes_on_cannot_be_read() -> None:
    """A default in place of the user's value would be wrong in silence."""
    section = SamplingSection().holding(SamplingSection(seed=7).only("seed", "shift"))
    assert (section.seed, section.shift, section.held()) == (7, 5.0, {"seed": 7, "shift": 5.0})
    with pytest.raises(AttributeError, match="num_steps"):
        section.num_steps  # noqa: B018 - reading it is what is tested
    with pytest.raises(AssertionError, match="sead"):
        SamplingSection.holding({"sead": 1})


@pytest.mark.parametrize("spoil", [{"input": {"picture": "a.png"}}, {"output": {"text": "t", "more": "m"}}])
def test_a_rule_that_does_not_fit_its_stage_fails(tmp_path: Path, spoil: dict[str, object]) -> None:
    """A file too few or too many is told when the job begins, not when it is missed."""
    job = given(tmp_path)
    with pytest.raises(SystemExit):
        run_stage(describe, SimpleNamespace(**{**vars(job), **spoil}))
    assert "validation error" in (tmp_path / "logs" / "describe.log").read_text()


def test_an_unknown_param_is_refused() -> None:
    """Params say what a stage depends on: one more would be a rerun for nothing."""
    with pytest.raises(ValidationError, match="extra"):
        Settings(training={"rank": 4}, num_steps=3, seed=1)  # type: ignore[arg-type, call-arg]
