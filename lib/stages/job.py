"""One job of the workflow, handed to its stage: what Snakemake gives, as typed values, in the job's log.

A stage is a function of the module of its script's name. It takes any of inputs, outputs, params and job; their
annotations say what its rule must give, and what else a rule gives, or leaves out, is an error.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from lib.config.sections import Section
from lib.core.files import write_json
from lib.stages.log import stage_log

SUFFIX = ".job.json"
NOT_FOR_THE_STAGE = ("title", "version")  # params that are there for the log, and for Snakemake to see a change


class Files(BaseModel):
    """Paths of a rule's inputs or outputs by their names there; an optional one may be an empty list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _nothing_is_none(cls, given: Any, info: ValidationInfo) -> Any:
        optional = cls.model_fields[str(info.field_name)].annotation == Path | None
        return None if optional and given == [] else given


class Params(BaseModel):
    """Params of a rule by their names there; of a section of the settings, the keys that the rule names alone.

    Attributes:
        models: what the files of its models hold, see `lib.inputs.model_files`. No stage looks at it: other weights
            under the same name run the job again and are told in its provenance.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    models: dict[str, str] = {}

    @field_validator("*", mode="before")
    @classmethod
    def _hold_sections(cls, given: Any, info: ValidationInfo) -> Any:
        kind = cls.model_fields[str(info.field_name)].annotation
        return kind.holding(given) if isinstance(kind, type) and issubclass(kind, Section) else given

    def described(self) -> dict[str, Any]:
        """Return the params as plain values, for provenance."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value.held() if isinstance(value, Section) else value for name, value in values.items()}


@dataclass(frozen=True)
class Job:
    """What a job is beside its files and settings.

    Attributes:
        log: the stage's log.
        num_threads: CPU threads granted by the scheduler.
        num_gpus: GPUs granted; most stages use one.
    """

    log: Path
    num_threads: int
    num_gpus: int = 0


class Given(Protocol):
    """What of Snakemake's object a script hands over."""

    input: Any
    output: Any
    params: Any
    log: Any
    threads: int
    resources: Any


Stage = Callable[..., None]


def run_stage(stage: Stage, given: Given) -> None:
    """Run the stage of a job, its output in the job's log; leave beside it what `lib.stages.alone` needs.

    Args:
        stage: of a module of lib.stages.
        given: the script's `snakemake`. Its params are sections by their names, `own` (what belongs to no section),
            `title` (for people) and `version` (see `lib.core.provenance.STAGE_VERSIONS`).
    """
    params = dict(given.params.items())
    description = {
        "stage": f"{stage.__module__}:{stage.__name__}",
        "inputs": _plain(given.input),
        "outputs": _plain(given.output),
        "params": {**params.pop("own", {}), **{key: params[key] for key in params if key not in NOT_FOR_THE_STAGE}},
        "log": str(given.log[0]),
        "num_threads": given.threads,
        "num_gpus": int(getattr(given.resources, "gpu", 0)),
    }
    with stage_log(given.log[0], params["title"], given.resources.attempt):
        write_json(job_path(given.log[0]), description)
        call_stage(stage, description)


def job_path(log: str | Path) -> Path:
    """Return where a job is described: beside its log."""
    return Path(log).with_suffix(SUFFIX)


def call_stage(stage: Stage, description: Mapping[str, Any]) -> None:
    """Call a stage with typed values made of a job's description."""
    kinds = get_type_hints(stage)
    values: dict[str, Any] = {
        name: kinds[name].model_validate(description[name]) for name in ("inputs", "outputs", "params") if name in kinds
    }
    if "job" in kinds:
        values["job"] = Job(Path(description["log"]), description["num_threads"], description.get("num_gpus", 0))
    stage(**values)


def stage_of(description: Mapping[str, Any]) -> Stage:
    """Return the stage of a job's description."""
    module, _, function = description["stage"].partition(":")
    assert module.startswith("lib.stages."), module
    stage: Stage = getattr(import_module(module), function)
    return stage


def _plain(files: Any) -> dict[str, str | list[str]]:
    """Turn Snakemake's named files into plain values."""
    return {
        name: str(value) if isinstance(value, str) else [str(each) for each in value] for name, value in files.items()
    }
