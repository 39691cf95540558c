"""Run one stage again, alone, in this process: under a debugger, from a clip and the name of its rule.

    python -m lib.stages.alone results car-turn segment_masks --edit red-car
    python -m pdb -m lib.stages.alone results car-turn train_lora_decouple.edit

It is given the very inputs and params of the job's last attempt, which lie beside its log. What it writes goes to a
folder of its own, so that a finished batch stays finished.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lib.core.errors import InputError, Problem
from lib.core.files import read_json
from lib.stages.job import SUFFIX, call_stage, stage_of


def main(arguments: Sequence[str]) -> int:
    """Run the stage that the command line names; return the exit code."""
    given = _parser().parse_args(arguments)
    folder = Path(given.results, "logs", *[name for name in (given.clip, given.edit, given.method) if name])
    try:
        run_alone(find_job(folder, given.rule), Path(given.results), given.into)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def find_job(folder: Path, rule: str) -> Path:
    """Return the description of a job of a rule.

    Args:
        folder: of its log.
        rule: the name of the log without suffix: the rule, where it has several jobs there with `.` and the mask.

    Raises:
        InputError: there is none, or there are several.
    """
    found = sorted(path for path in folder.glob(f"*{SUFFIX}") if _is_of(path, rule))
    exact = [path for path in found if path.name == f"{rule}{SUFFIX}"]
    if len(exact or found) == 1:
        return (exact or found)[0]
    begun = ", ".join(path.name.removesuffix(SUFFIX) for path in found or sorted(folder.glob(f"*{SUFFIX}")))
    expected = (
        f"one of those that have run: {begun}" if begun else "a stage that has run at least once; let it run first"
    )
    raise InputError([Problem(str(folder), f"{len(found)} jobs of '{rule}'", expected)])


def run_alone(description: Path, results: Path, into: Path) -> None:
    """Run the stage of a job with the job's own inputs and params.

    Args:
        description: of `find_job`.
        results: the results folder that the job belongs to.
        into: the folder that takes its outputs, under the paths that they have below `results`.

    Raises:
        InputError: an input is gone.
    """
    known: dict[str, Any] = read_json(description)
    _check_inputs(known["inputs"])
    outputs = {name: str(into / Path(path).relative_to(results)) for name, path in known["outputs"].items()}
    for path in outputs.values():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        print(f"writes {path}", flush=True)
    log = into / Path(known["log"]).relative_to(results)
    log.parent.mkdir(parents=True, exist_ok=True)
    call_stage(stage_of(known), {**known, "outputs": outputs, "log": str(log)})


def _check_inputs(inputs: dict[str, str | list[str]]) -> None:
    """Refuse to begin without an input."""
    paths = [path for given in inputs.values() for path in ([given] if isinstance(given, str) else given)]
    missing = [path for path in paths if not Path(path).exists()]
    if missing:
        expected = "it to be there: what a batch keeps only for a while is kept with Snakemake's --notemp"
        raise InputError([Problem(path, "no such file", expected) for path in missing])


def _is_of(path: Path, rule: str) -> bool:
    name = path.name.removesuffix(SUFFIX)
    return name == rule or name.startswith(f"{rule}.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lib.stages.alone", description="Run one stage again, alone.")
    parser.add_argument("results", type=Path, help="the results folder of a run, as its settings name it")
    parser.add_argument("clip", help="the clip's id: the name of its folder in results")
    parser.add_argument("rule", help="such as extract_frames, or encode_source.edit")
    parser.add_argument("--edit", help="the edit's id, for a rule of an edit")
    parser.add_argument("--method", help="for a rule of an edited video: generate, evaluate")
    parser.add_argument("--into", type=Path, default=Path("alone"), help="folder for what it writes; default: alone")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
