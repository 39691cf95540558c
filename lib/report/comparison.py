"""Methods compared over the clips of a batch: means, standard errors, and paired differences from ours.

A clip counts once: the edits of a clip are no independent trials, so that their scores are averaged first.
"""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from lib.core.errors import InputError, Problem, nearest_known
from lib.core.files import read_json_or_nothing
from lib.core.names import OUTSIDE, is_outside
from lib.report.metric_labels import KNOWN_METRICS, Metric
from lib.report.paired_tests import signed_rank_p
from lib.report.sections import CONTROL_ROWS

EDITED = "edited"  # the row of a metrics.json that is of the edited video itself
Edit = tuple[str, str]
"""Clip and edit, by id."""
Measures = Mapping[Edit, Mapping[str, Any]]
"""What metrics.json says of a method's video of each edit."""


@dataclass(frozen=True)
class Score:
    """A mean over clips.

    Args:
        mean: of the clips' values.
        standard_error: of the mean; None for a single clip.
        num_clips: that have a value.
        p: of a difference, see `lib.report.paired_tests`; None of a score, and where nothing differs.
    """

    mean: float
    standard_error: float | None
    num_clips: int
    p: float | None = None


@dataclass(frozen=True)
class ComparedMethod:
    """A row of the tables.

    Args:
        id: of the method, or the name of a control row.
        kind: `ours`, `outside` or `control`.
        scores, differences: by metric; differences from ours, and of no control.
        notes: how its videos were brought to their clips' size, time and length, each with the number of videos.
    """

    id: str
    name: str
    kind: str
    num_clips: int
    num_videos: int
    scores: Mapping[str, Score]
    differences: Mapping[str, Score]
    notes: Sequence[str]


@dataclass(frozen=True)
class Comparison:
    """All that the tables say.

    Args:
        methods: the reference first, controls last.
        metrics: the columns.
        reference: the name of the method that the others are compared with.
        num_paired_clips, num_paired_edits: that all compared methods have.
        same_edits: whether no method has others.
        measured_with: what the scores depend on, such as the CLIP model, each with all the values that occur.
    """

    methods: Sequence[ComparedMethod]
    metrics: Sequence[Metric]
    reference: str
    num_paired_clips: int
    num_paired_edits: int
    same_edits: bool
    measured_with: Mapping[str, Sequence[str]]


def compare_methods(results: Path, chosen: Sequence[str] | None, reference: str | None) -> Comparison:
    """Compare the methods of a batch by what metrics.csv lists and each metrics.json says.

    Args:
        chosen: methods, by id or name; None: all.
        reference: the one that the others are compared with; None: the first of ours, or of all.

    Raises:
        InputError: nothing is measured, or a method is not among what is.
    """
    edits, names = list_measured(results)
    ids = [find_method(name, names) for name in chosen] if chosen else list(names)
    ours = find_method(reference, names) if reference else next((each for each in ids if not is_outside(each)), ids[0])
    ids = [ours, *(each for each in dict.fromkeys(ids) if each != ours)]
    measured = {each: _read_measures(results, each, edits[each]) for each in ids}
    paired = [edit for edit in measured[ours] if all(edit in measures for measures in measured.values())]
    rows = [
        ComparedMethod(
            each,
            names[each],
            "outside" if is_outside(each) else "ours",
            *_count(measures),
            _score(measures, EDITED),
            {} if each == ours else _differences(measures, measured[ours], paired),
            _list_notes(results, each, measures),
        )
        for each, measures in measured.items()
    ]
    controls = [
        ComparedMethod(row, CONTROL_ROWS.get(row, row), "control", *_count(measured[ours]), scores, {}, ())
        for row in _list_controls(measured[ours])
        if (scores := _score(measured[ours], row))
    ]
    return Comparison(
        [*rows, *controls],
        _list_columns(rows),
        names[ours],
        len({clip for clip, _ in paired}),
        len(paired),
        all(measures.keys() == measured[ours].keys() for measures in measured.values()),
        _describe_measuring(results, measured.values()),
    )


def list_measured(results: Path) -> tuple[dict[str, list[Edit]], dict[str, str]]:
    """Return the edits that each method has been measured on, and its name, by its id.

    Raises:
        InputError: nothing is measured.
    """
    edits: dict[str, list[Edit]] = {}
    names: dict[str, str] = {}
    table = results / "metrics.csv"
    try:
        with table.open(encoding="utf-8", newline="") as content:
            for line in csv.DictReader(content):
                if line["row"] == EDITED:
                    edits.setdefault(line["method"], []).append((line["clip"], line["edit"]))
                    names.setdefault(line["method"], line["method_name"])
    except (OSError, KeyError) as error:
        raise InputError([Problem(str(table), f"no table of this version ({error})", _EXPECTED)]) from None
    if not edits:
        raise InputError([Problem(str(table), "no edited video that is measured", _EXPECTED)])
    return edits, names


_EXPECTED = "a batch of which something is finished: ./batch start"


def find_method(name: str, names: Mapping[str, str]) -> str:
    """Return the id of a method that is named by id or name.

    Raises:
        InputError: no method is.
    """
    if name in names:
        return name
    found = [each for each, known in names.items() if name in (known, each.removeprefix(OUTSIDE))]
    if not found:
        expected = nearest_known(name, list(names.values()))
        raise InputError([Problem("method", f"'{name}', which nothing is measured of", expected)])
    return found[0]


def _read_measures(results: Path, method: str, edits: Iterable[Edit]) -> dict[Edit, dict[str, Any]]:
    read = {edit: read_json_or_nothing(results.joinpath(*edit, method, "metrics.json")) for edit in edits}
    return {edit: measures for edit, measures in read.items() if EDITED in measures.get("rows", {})}


def _count(measures: Measures) -> tuple[int, int]:
    return len({clip for clip, _ in measures}), len(measures)


def _score(measures: Measures, row: str) -> dict[str, Score]:
    """Return the score of each metric that any clip has."""
    rows = {edit: made["rows"].get(row, {}).get("mean", {}) for edit, made in measures.items()}
    names = dict.fromkeys(name for means in rows.values() for name in means)
    values = {name: [(clip, means.get(name)) for (clip, _), means in rows.items()] for name in names}
    return {name: score for name, found in values.items() if (score := _over_clips(found))}


def _differences(theirs: Measures, ours: Measures, paired: Sequence[Edit]) -> dict[str, Score]:
    """Return theirs less ours, frame by frame where both have one, by metric."""
    found: dict[str, list[tuple[str, float | None]]] = {}
    for edit in paired:
        made, reference = (measures[edit]["rows"][EDITED]["per_frame"] for measures in (theirs, ours))
        for name in made.keys() & reference.keys():
            pairs = zip(made[name], reference[name], strict=True)
            frames = [one - other for one, other in pairs if one is not None and other is not None]
            found.setdefault(name, []).append((edit[0], fmean(frames) if frames else None))
    return {name: score for name, values in found.items() if (score := _over_clips(values, is_difference=True))}


def _over_clips(values: Iterable[tuple[str, float | None]], is_difference: bool = False) -> Score | None:
    """Average over clips, after the edits of each; None without any value."""
    by_clip: dict[str, list[float]] = {}
    for clip, value in values:
        if value is not None and math.isfinite(value):
            by_clip.setdefault(clip, []).append(value)
    means = [fmean(of_clip) for of_clip in by_clip.values()]
    if not means:
        return None
    error = stdev(means) / math.sqrt(len(means)) if len(means) > 1 else None
    return Score(fmean(means), error, len(means), signed_rank_p(means) if is_difference else None)


def _list_controls(measures: Measures) -> list[str]:
    return list(dict.fromkeys(row for made in measures.values() for row in made["rows"] if row != EDITED))


def _list_columns(rows: Iterable[ComparedMethod]) -> list[Metric]:
    """List the metrics that any method has, but those that only say how the source is."""
    names = dict.fromkeys(name for row in rows for name in row.scores)
    known = {metric.name: metric for metric in KNOWN_METRICS}
    ours = [metric for metric in KNOWN_METRICS if metric.name in names and metric.higher_is_better is not None]
    others = [name for name in names if name not in known]
    return ours + [Metric(name, name.replace("_", " ").capitalize(), "", 3, None, False, "") for name in others]


def _list_notes(results: Path, method: str, measures: Measures) -> list[str]:
    counts: dict[str, int] = {}
    for edit in measures:
        for note in read_json_or_nothing(results.joinpath(*edit, method, "edited.json")).get("notes", []):
            counts[note] = counts.get(note, 0) + 1
    return [f"{note} ({count} of {len(measures)} videos)" for note, count in counts.items()]


def _describe_measuring(results: Path, measured: Iterable[Measures]) -> dict[str, list[str]]:
    """Gather what the scores depend on; several values where videos were measured differently."""
    found: dict[str, dict[str, None]] = {}
    for edit, made in (pair for measures in measured for pair in measures.items()):
        settings = made.get("provenance", {}).get("settings", {})
        models = {key.partition("/")[0]: digest for key, digest in settings.get("models", {}).items()}
        facts = read_json_or_nothing(results / edit[0] / "source_video.json")
        for key, value in {
            "clip_model": settings.get("metrics", {}).get("clip_model"),
            "clip_weights": models.get("metrics.clip_model"),
            "background_dilation": settings.get("metrics", {}).get("background_dilation"),
            "size": f"{facts['width']}x{facts['height']}" if "width" in facts else None,
            "num_frames": len(facts["times"]) if "times" in facts else None,
        }.items():
            if value is not None:
                found.setdefault(key, {})[str(value)] = None
    return {key: list(values) for key, values in found.items()}
