"""Which videos a study shows, and what it asks: chosen by a seed."""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from lib.core.errors import InputError, Problem
from lib.report.comparison import Edit, find_method, list_measured
from lib.study.questions import Question

Mode = Literal["pairs", "sets"]
"""Two videos to choose between, or one of each method to put in order."""
MOST_IN_SET = 9  # each video has a key, 1 to 9
FORM = 1  # of study.json; another once it changes
EXPECTED = "a batch of which at least two methods are finished: ./batch start"


@dataclass(frozen=True)
class Item:
    """What is shown at once.

    Args:
        id: tells nothing of what is shown.
        clip, edit: by id.
        videos: the method of each video, by the video's name on the page, which tells nothing of it.
    """

    id: str
    clip: str
    edit: str
    videos: Mapping[str, str]


@dataclass(frozen=True)
class Study:
    """A study's key: what people are asked and must not know.

    Args:
        id: of what is asked; another study has another.
        methods: names by id, in the order of the tables.
        items: in the order of the edits; each person has another.
    """

    form: int
    id: str
    name: str
    seed: int
    mode: Mode
    questions: Sequence[Question]
    methods: Mapping[str, str]
    items: Sequence[Item]


def plan_study(
    results: Path,
    name: str,
    chosen: Sequence[str] | None,
    mode: Mode | None,
    questions: Sequence[Question],
    num_items: int | None,
    seed: int,
) -> Study:
    """Choose what a study shows, among the edits that all of its methods have.

    Args:
        chosen: methods, by id or name; None: all that are measured.
        mode: None: pairs of two methods, sets of more.
        num_items: shown to each person, spread evenly over methods, clips and edits; None: all there are.

    Raises:
        InputError: there is too little to compare, or too much at once.
    """
    edits, names = list_measured(results)
    ids = list(dict.fromkeys(find_method(each, names) for each in chosen)) if chosen else list(names)
    if len(ids) < 2:
        raise InputError([Problem("methods", f"{', '.join(names[each] for each in ids)} alone", EXPECTED)])
    mode = mode or ("pairs" if len(ids) == 2 else "sets")
    if mode == "sets" and len(ids) > MOST_IN_SET:
        found = f"{len(ids)} methods in a set"
        raise InputError([Problem("--methods", found, f"at most {MOST_IN_SET} of them, or --pairs")])
    shared = [edit for edit in edits[ids[0]] if all(_has_video(results, edit, each, edits) for each in ids)]
    if not shared:
        raise InputError([Problem("methods", "no edit that all of them have", "other --methods")])
    groups = [tuple(ids)] if mode == "sets" else list(combinations(ids, 2))
    if num_items is not None and num_items < len(groups):
        found = f"{num_items}, fewer than there are pairs of methods"
        raise InputError([Problem("--items", found, f"at least {len(groups)}")])
    chance = random.Random(f"what is shown in {name} {seed}")
    shown = _choose([(edit, group) for edit in shared for group in groups], num_items, chance)
    items = [_name_item(number, edit, group, chance) for number, (edit, group) in enumerate(shown, start=1)]
    study = Study(FORM, "", name, seed, mode, questions, {each: names[each] for each in ids}, items)
    digest = hashlib.sha256(json.dumps(asdict(study), sort_keys=True).encode()).hexdigest()
    return replace(study, id=digest[:12])


def num_left_out(results: Path, study: Study) -> int:
    """Count the edits that some method of a study has and not all do, which are not shown."""
    edits, _ = list_measured(results)
    some = {edit for each in study.methods for edit in edits[each]}
    return sum(1 for edit in some if not all(_has_video(results, edit, each, edits) for each in study.methods))


def load_study(path: Path) -> Study:
    """Read a study's key.

    Raises:
        InputError: there is none, or of another version.
    """
    try:
        study = TypeAdapter(Study).validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise InputError([Problem(str(path), "no key of a study", "one that `./batch study` made: --name")]) from None
    if study.form != FORM:
        raise InputError([Problem(str(path), f"a key of form {study.form}", f"form {FORM}, of this version")])
    return study


def _has_video(results: Path, edit: Edit, method: str, edits: Mapping[str, Sequence[Edit]]) -> bool:
    return edit in edits[method] and results.joinpath(*edit, method, "edited.mp4").is_file()


def _choose(candidates: Sequence[Any], most: int | None, chance: random.Random) -> list[Any]:
    """Choose of edits and their methods, each time what has been taken least; return them in their own order."""
    if most is None or most >= len(candidates):
        return list(candidates)
    left = dict(enumerate(candidates))
    turns = {index: chance.random() for index in left}
    methods, clips, edits = Counter[Any](), Counter[str](), Counter[Edit]()
    taken = []
    for _ in range(most):
        index = min(left, key=lambda at: (methods[left[at][1]], clips[left[at][0][0]], edits[left[at][0]], turns[at]))
        edit, group = left.pop(index)
        methods[group] += 1
        clips[edit[0]] += 1
        edits[edit] += 1
        taken.append(index)
    return [candidates[index] for index in sorted(taken)]


def _name_item(number: int, edit: Edit, group: Sequence[str], chance: random.Random) -> Item:
    """Give the videos of an item names without meaning, listed by these names and not by method."""
    tokens = sorted(f"{chance.getrandbits(48):012x}" for _ in group)
    methods = chance.sample(list(group), len(group))
    return Item(f"{number:04d}-{chance.getrandbits(32):08x}", *edit, dict(zip(tokens, methods, strict=True)))
