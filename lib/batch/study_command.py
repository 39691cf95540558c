"""The user study's part of ./batch: `study` writes the page that asks people, `answers` reads what they send back."""

import argparse
import re
import sys
from pathlib import Path

from lib.core.errors import InputError, Problem
from lib.study.answers import read_answers
from lib.study.page import FOLDER, KEY, write_study
from lib.study.plan import load_study, num_left_out, plan_study
from lib.study.questions import choose_questions
from lib.study.ranks import evaluate_answers
from lib.study.tables import write_study_tables

NAME = "methods"  # of a study that is not named, as of the tables


def add_study_options(verb: str, command: argparse.ArgumentParser) -> None:
    """Add the options of `study` or `answers`."""
    command.add_argument("--configfile", help="your settings, for their results folder")
    command.add_argument("--name", default=NAME, help="of the study, in RESULTS/study")
    if verb == "answers":
        command.add_argument("files", nargs="+", type=Path, help="what people sent back: files, or folders of them")
        return
    command.add_argument("--methods", nargs="+", help="what is compared, by name; default: all")
    mode = command.add_mutually_exclusive_group()
    mode.add_argument("--pairs", dest="mode", action="store_const", const="pairs", help="two videos; default of two")
    mode.add_argument("--sets", dest="mode", action="store_const", const="sets", help="all methods, put in order")
    command.add_argument("--question", action="append", default=[], help="one more, such as 'Beauty: Which ...?'")
    command.add_argument("--questions", type=Path, help="a file of questions, one a line, in place of the paper's two")
    command.add_argument("--items", type=int, help="most pairs or sets for each person; default: all")
    command.add_argument("--seed", type=int, default=0, help="of what is shown and in which order")


def make_study(results: Path, given: argparse.Namespace) -> int:
    """Write a study's page and key, and say where they lie.

    Raises:
        InputError: there is too little to compare, or a study of that name.
    """
    _check_name(given.name)
    if given.items is not None and given.items < 1:
        raise InputError([Problem("--items", str(given.items), "1 or more")])
    questions = choose_questions(given.question, given.questions)
    study = plan_study(results, given.name, given.methods, given.mode, questions, given.items, given.seed)
    page = write_study(results, study)
    num_answers = len(study.items) * len(study.questions)
    print(f"Methods: {', '.join(study.methods.values())}")
    print(f"Each person answers {num_answers} questions: {len(study.items)} {study.mode}, {len(study.questions)} each.")
    if missing := num_left_out(results, study):
        print(f"Left out: {missing} edits that not all of these methods have.")
    print(f"The page, to send away as a folder:   {page.parent}")
    print(f"The key, to keep from those who answer: {page.parent.parent / KEY}")
    print(f"Then: ./batch answers FILES{'' if given.name == NAME else f' --name {given.name}'}")
    return 0


def read_study(results: Path, given: argparse.Namespace) -> int:
    """Write what people said as tables, print it, and tell which files were not used.

    Raises:
        InputError: there is no such study, or no file that can be used.
    """
    _check_name(given.name)
    study = load_study(results / FOLDER / given.name / KEY)
    answers = read_answers(given.files, study)
    markdown, *others = write_study_tables(evaluate_answers(study, answers), results / "tables")
    print(markdown.read_text(encoding="utf-8"))
    print("Written:", *[markdown, *others], sep="\n  ", flush=True)
    if answers.problems:
        print(f"Not used: {len(answers.problems)} files", *answers.problems, sep="\n  ", file=sys.stderr)
    return 0


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,80}", name):
        raise InputError([Problem("--name", f"'{name}'", "letters, digits, '-' and '_', as of a folder")])
