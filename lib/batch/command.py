"""The command ./batch: start, watch, stop and resume a batch that outlives the terminal."""

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from lib.batch.driver import drive
from lib.batch.files import LAST, Settings, batch_file, load_settings, save_settings
from lib.batch.lock import driver_facts, take_lock
from lib.batch.review_command import VERBS as REVIEW_VERBS
from lib.batch.review_command import add_review_options, decide, prepare, with_config
from lib.batch.status import describe_status, read_status
from lib.batch.study_command import add_study_options, make_study, read_study
from lib.config.settings import load_config, read_settings
from lib.core.errors import InputError, Problem
from lib.core.files import read_json_or_nothing
from lib.core.project import ROOT
from lib.report.comparison import compare_methods
from lib.report.table_files import write_tables

DESCRIPTION = """Start, watch, stop and resume a batch.

  ./batch prepare --configfile my.yaml  all before the first training, as a page to look at and decide
  ./batch approve CLIP/EDIT             or hold, reject; or --all; `decide FILE` takes the page's decisions
  ./batch start --configfile my.yaml    on this machine; with --slurm on a cluster
  ./batch watch                         how far it is, live; `status` says it once
  ./batch stop                          in good order; trainings save their step
  ./batch resume                        after a stop, a kill or a dead machine
  ./batch retry                         again what failed
  ./batch tables                        methods compared, as tables for a paper
  ./batch study                         a page that asks people which video is better
  ./batch answers FILES                 what they answered, as tables

Options of Snakemake's own go behind `--`: ./batch start -- --cores 8 --resources gpu=2
"""

SLICE_SIZE = 1000
SECONDS_TO_BEGIN = 10.0
SECONDS_TO_STOP = 600.0
SECONDS_BETWEEN_LOOKS = 0.2
SECONDS_BETWEEN_VIEWS = 2.0
TAIL_LINES = 30
CLEAR = "\x1b[H\x1b[2J"  # of a terminal: from its first line on


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; return the exit code."""
    place = list(arguments).index("--") if "--" in arguments else len(arguments)
    given, options = _parser().parse_args(arguments[:place]), list(arguments[place + 1 :])
    try:
        if given.verb in ("start", "prepare"):
            _refuse_dry_run(options)
            settings = _new_settings(given, options)
            if given.verb == "prepare":
                return prepare(settings)
            chosen = with_config(settings, "decisions=approved_only") if given.approved_only else settings
            return start(chosen, given.foreground)
        results = _find_results(given)
        if given.verb in ("resume", "retry"):
            return start(load_settings(results), given.foreground, given.wait, given.verb == "retry")
        if given.verb == "stop":
            return stop(results)
        if given.verb == "tables":
            return tables(results, given.methods, given.ours, given.name)
        if given.verb in REVIEW_VERBS:
            return decide(results, given)
        if given.verb in ("study", "answers"):
            return (make_study if given.verb == "study" else read_study)(results, given)
        return show(results, live=given.verb == "watch")
    except (InputError, OSError) as error:  # OSError: a disk that is full or gone; it names the file
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # of the one who watches; the driver has a session of its own
        return 130


def start(settings: Settings, foreground: bool, wait: bool = False, only_failed: bool = False) -> int:
    """Start a driver on a results folder that no other works on.

    Raises:
        InputError: another one does.
    """
    if settings.configfile:
        read_settings(Path(settings.configfile))  # Snakemake, which reads them next, names no file and knows no bounds
    results = Path(settings.results)
    lock = take_lock(results)
    save_settings(settings)
    batch_file(results, "plan.json").unlink(missing_ok=True)
    if foreground:
        return drive(results, lock, wait, only_failed)
    log = batch_file(results, "driver.log")
    with log.open("ab") as output:
        started = log.stat().st_size
        driver = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "lib.batch.driver",
                str(results),
                str(lock),
                *["--wait"] * wait,
                *["--only-failed"] * only_failed,
            ],
            cwd=settings.folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=[lock],
        )
    os.close(lock)
    print(f"Started: process {driver.pid} on {socket.gethostname()}; it goes on when this terminal is closed.")
    print(f"Its log: {log}\nWatch:   ./batch watch      stop: ./batch stop", flush=True)
    return _watch_beginning(driver, results, started)


def stop(results: Path) -> int:
    """Ask the driver to end, and wait until it has; its jobs end with it."""
    driver = driver_facts(results)
    if not driver["lives"]:
        print(f"No driver is at work on {results}.")
        return 0
    if driver["is_here"]:
        os.kill(driver["pid"], signal.SIGTERM)
    else:
        batch_file(results, "stop").touch()
    print("Stopping; trainings save their step ...", flush=True)
    deadline = time.monotonic() + SECONDS_TO_STOP
    while driver_facts(results)["lives"]:
        if time.monotonic() > deadline:
            print(f"It has not ended in {SECONDS_TO_STOP / 60:.0f} min: see {batch_file(results, 'driver.log')}")
            return 1
        time.sleep(SECONDS_BETWEEN_LOOKS)
    print("Stopped. `./batch resume` goes on.")
    return 0


def show(results: Path, live: bool) -> int:
    """Print how far a batch is, once or until it ends."""
    clear = CLEAR if live and sys.stdout.isatty() else ""
    print(f"{clear}{describe_status(read_status(results))}", flush=True)
    while live and driver_facts(results)["lives"]:
        time.sleep(SECONDS_BETWEEN_VIEWS)
        print(f"{clear}{datetime.now():%H:%M:%S}  {describe_status(read_status(results))}", flush=True)
    return 0


def tables(results: Path, methods: Sequence[str] | None, ours: str | None, name: str) -> int:
    """Write the comparison of methods into the results folder, and print it.

    Raises:
        InputError: there is nothing to compare, or no method of a name that is asked for.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise InputError([Problem("--name", f"'{name}'", "letters, digits, '-' and '_', as of a file")])
    compared = compare_methods(results, methods, ours)
    markdown, *others = write_tables(compared, results / "tables", name)
    print(markdown.read_text(encoding="utf-8"))
    print("Written:", *[markdown, *others], sep="\n  ")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./batch", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, meaning in (
        ("prepare", "make everything before the first training, and a page of it to look at"),
        *REVIEW_VERBS.items(),
        ("start", "start a driver"),
        ("resume", "start again with the settings of last time"),
        ("retry", "run again just what failed"),
        ("status", "say once how far it is"),
        ("watch", "show how far it is, live"),
        ("stop", "end the driver and its jobs"),
        ("tables", "compare the methods of what is measured"),
        ("study", "write a page that asks people which video is better"),
        ("answers", "read what people answered"),
    ):
        command = verbs.add_parser(verb, help=meaning)
        command.add_argument("--results", help="results folder; default: that of the settings, or of the last start")
        if verb in ("start", "resume", "retry"):
            command.add_argument("--foreground", action="store_true", help="stay in this terminal")
        if verb in ("resume", "retry"):
            command.add_argument("--wait", action="store_true", help="for jobs left in SLURM's queue; default: cancel")
        if verb == "start":
            command.add_argument("--approved-only", action="store_true", help="make approved edits and no others")
        if verb in ("start", "prepare"):
            command.add_argument("--slurm", action="store_true", help="jobs go to SLURM (workflow/profiles/slurm)")
            command.add_argument("--configfile", help="your settings")
            command.add_argument("--slice", type=int, default=SLICE_SIZE, help="most clips to plan at a time")
        if verb == "tables":
            command.add_argument("--methods", nargs="+", help="rows, by name; default: all")
            command.add_argument("--ours", help="the method that others are compared with; default: the first of ours")
            command.add_argument("--name", default="methods", help="of the files in RESULTS/tables")
        if verb in REVIEW_VERBS:
            add_review_options(verb, command)
        if verb in ("study", "answers"):
            add_study_options(verb, command)
    return parser


def _refuse_dry_run(options: list[str]) -> None:
    dry = next((word for word in options if re.fullmatch(r"-[A-Za-z]*n[A-Za-z]*|--dry-?run", word)), None)
    if dry:
        expected = "Snakemake's own dry run, which writes nothing: snakemake -n --configfile YOURS.yaml"
        raise InputError([Problem("options behind --", dry, expected)])


def _new_settings(given: argparse.Namespace, options: list[str]) -> Settings:
    own = given.results or next((word[8:] for word in options if word.startswith("results=")), None)
    results = Path(own or _configured_results(given.configfile)).absolute()
    configfile = given.configfile and str(Path(given.configfile).absolute())
    folder = str(Path.cwd())
    return Settings(str(results), folder, configfile, given.results, given.slurm, given.slice, options)


def _configured_results(configfile: str | None) -> str:
    """Return the results folder of a user's settings.

    Raises:
        InputError: they cannot be used.
    """
    return load_config(read_settings(Path(configfile)) if configfile else {}, ROOT).results


def _find_results(given: argparse.Namespace) -> Path:
    """Return the results folder named, that of settings named, or that of the last start from this folder."""
    configured = getattr(given, "configfile", None) and _configured_results(given.configfile)
    last = read_json_or_nothing(Path.cwd() / LAST).get("results")
    named = given.results or configured or last or _configured_results(None)
    return Path(named).absolute()


def _watch_beginning(driver: subprocess.Popen[bytes], results: Path, started: int) -> int:
    """Wait until the driver has begun or failed, a little while; show the log of one that failed."""
    deadline = time.monotonic() + SECONDS_TO_BEGIN
    while time.monotonic() < deadline and not batch_file(results, "plan.json").exists():
        if driver.poll() is not None:
            log = batch_file(results, "driver.log").read_bytes()[started:].decode("utf-8", errors="replace")
            print("It has ended already. The end of its log:\n" + "\n".join(log.splitlines()[-TAIL_LINES:]))
            return driver.returncode
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
