"""The part of ./batch that is a look before the night: `prepare` shows what will be trained on, the others decide."""

import argparse
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lib.batch.driver import snakemake_command
from lib.batch.files import Settings, batch_file, save_settings
from lib.batch.lock import driver_facts
from lib.core.errors import InputError, Problem
from lib.core.files import read_json_or_nothing
from lib.inputs.decisions import FILE, Decision, read_decisions, write_decisions
from lib.review.page import write_page
from lib.review.saved import Edit, find_edits, known_edits, read_saved

DECISIONS: dict[str, Decision] = {"approve": "approved", "hold": "held", "reject": "rejected"}
VERBS = {
    "approve": "let edits be made",
    "hold": "keep edits from being made for now",
    "reject": "leave edits out",
    "decide": "take the decisions that were saved from the page of `prepare`",
}
PLANNED = (
    "expected",
    "names",
    "problems",
    "prompts",
    "bytes_to_come",
)  # of what is noted of a run, what the page shows
TARGET = "prepared"  # the rule that asks for everything before the first training, and the mark that it leaves


def add_review_options(verb: str, command: argparse.ArgumentParser) -> None:
    """Add the options of `approve`, `hold`, `reject` or `decide`."""
    command.add_argument("--configfile", help="your settings, for their results folder")
    if verb == "decide":
        command.add_argument("file", type=Path, help="decisions.json of the page")
        return
    command.add_argument("edits", nargs="*", metavar="CLIP/EDIT", help="or a clip, or a pattern with * and ?")
    command.add_argument("--all", action="store_true", help="all edits of the batch that nothing is decided of yet")


def with_config(settings: Settings, value: str) -> Settings:
    """Return settings with a further value for Snakemake's --config, of which the last one alone would count."""
    options = list(settings.options)
    place = options.index("--config") + 1 if "--config" in options else 0
    options[place:place] = ["--config"] * (place == 0) + [value]
    return replace(settings, options=options)


def prepare(settings: Settings) -> int:
    """Make everything before the first training, in this terminal, and the page; return the exit code.

    What fails keeps nothing else from being shown; the page says what is missing.

    Raises:
        InputError: another run is at work on the results.
    """
    results = Path(settings.results)
    if driver_facts(results)["lives"]:  # before anything that it relies on is touched
        raise InputError([Problem(f"results folder {results}", "a run at work on it", "its end, or `./batch stop`")])
    save_settings(settings)
    plan = batch_file(results, "plan.json")
    plan.unlink(missing_ok=True)
    batch_file(results, TARGET).unlink(missing_ok=True)  # so that there is a job to do, and what is planned is noted
    command = snakemake_command(with_config(settings, "decisions=ignore"))
    command = [*(word for word in command if word != "--nolock"), "--keep-going", "--", TARGET]
    code = subprocess.run(command, cwd=settings.folder, check=False).returncode
    if not plan.exists():
        return code  # nothing was planned: Snakemake has said why
    known = read_json_or_nothing(plan)
    page = write_page(results, read_decisions(results), **{key: known[key] for key in PLANNED})
    print(f"\nLook at   {page}\nThen      ./batch decide decisions.json      (saved from the page)")
    print("or        ./batch approve CLIP/EDIT, hold, reject\nand       ./batch start --approved-only", flush=True)
    return code


def decide(results: Path, given: argparse.Namespace) -> int:
    """Note what a person decided, and say how many edits are what now.

    Raises:
        InputError: an edit is named that is not there, or none.
    """
    plan = read_json_or_nothing(batch_file(results, "plan.json"))
    decisions = read_decisions(results)
    known = list(dict.fromkeys([*known_edits(plan.get("expected", []), plan.get("names", {})), *decisions]))
    if not known:
        raise InputError([Problem(f"results folder {results}", "no batch", "one that `./batch prepare` has looked at")])
    changes: Mapping[Edit, Decision | None]
    if given.verb == "decide":
        changes = read_saved(given.file, known)
    elif given.all:
        changes = {edit: DECISIONS[given.verb] for edit in known if edit not in decisions}
    elif given.edits:
        changes = dict.fromkeys(find_edits(given.edits, known), DECISIONS[given.verb])
    else:
        raise InputError([Problem(f"./batch {given.verb}", "no edit", "CLIP/EDIT, or --all")])
    merged = {edit: decision for edit, decision in {**decisions, **changes}.items() if decision is not None}
    write_decisions(results, merged)
    counts = {decision: sum(each == decision for each in merged.values()) for decision in DECISIONS.values()}
    listed = ", ".join(f"{count} {decision}" for decision, count in counts.items())
    print(f"{len(changes)} edits decided. Now: {listed}, {len(known) - len(merged)} undecided ({results / FILE})")
    return 0
