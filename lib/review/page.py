"""The page of a look before the night: one HTML file in the results folder, which shows the files beside it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lib.core.files import read_json_or_nothing, whole_file
from lib.core.names import Names, name_of
from lib.core.units import GIB
from lib.inputs.decisions import Decisions
from lib.masks.refusals import REFUSED
from lib.report.page import TEMPLATES as REPORT_TEMPLATES
from lib.report.page import page_environment

TEMPLATES = Path(__file__).parent / "templates"
PAGE = "prepare.html"
STAGES = ("train_lora_decouple", "train_lora_appearance", "encode_source", "encode_edit", "generate")
"""What is still to come for an edit, and takes long: their benchmark files tell how long it took for others."""


def write_page(
    results: Path,
    decisions: Decisions,
    *,
    expected: Sequence[Sequence[str]],
    names: Names,
    problems: Sequence[Mapping[str, Any]],
    prompts: Mapping[str, str],
    bytes_to_come: int | None,
) -> Path:
    """Write the page from what there is; an edit of which something is missing says so.

    Args:
        expected: clip, edit and method of each edited video, by id.
        problems: with the inputs, each with the fields of `lib.core.errors.Problem`.
        prompts: that users gave of edits, by `clip id/edit id`; the others have captions.
        bytes_to_come: what the rest of the run adds to the disk; None: not known.

    Returns:
        RESULTS/prepare.html.
    """
    methods: dict[tuple[str, str], list[str]] = {}
    for clip, edit, method in expected:
        methods.setdefault((clip, edit), []).append(method)
    edits = [describe_edit(results, clip, edit, names, decisions, prompts) for clip, edit in methods]
    left = [
        ids
        for ids, wanted in methods.items()
        if not all((results.joinpath(*ids, method) / "edited.mkv").exists() for method in wanted)
    ]
    page = page_environment(REPORT_TEMPLATES, TEMPLATES).get_template("prepare.html.jinja")
    text = page.render(
        edits=edits,
        decided=[[edit["clip"], edit["edit"], edit["decision"]] for edit in edits],
        problems=problems,
        num_left=len(left),
        hours=hours_to_come(results, len(left)),
        gigabytes=None if bytes_to_come is None else bytes_to_come / GIB,
        written=datetime.now(UTC),
        key=str(results.absolute()),
    )
    with whole_file(results / PAGE) as path:
        path.write_text(text, encoding="utf-8", errors="replace")
    return results / PAGE


def describe_edit(
    results: Path, clip: str, edit: str, names: Names, decisions: Decisions, prompts: Mapping[str, str]
) -> dict[str, Any]:
    """Gather what the page shows of an edit: its names, files by their address, captions, mask and warnings."""
    folder, parent = results / clip / edit, results / clip
    mask = read_json_or_nothing(folder / "edit_mask.json")
    name = name_of(names, clip), name_of(names, clip, edit)
    files = {
        "source": parent / "source_preview.mp4",
        "first_frame": folder / "first_frame.png",
        "sheet": folder / "edit_mask.png",
        "overlay": folder / "edit_mask_overlay.mp4",
    }
    references = sorted((folder / "references").glob("*.png"))
    captions = [read_json_or_nothing(place / "caption.json").get("caption") for place in (parent, folder)]
    captions[1] = prompts.get(f"{clip}/{edit}", captions[1])
    made, refused = read_json_or_nothing(folder / "made_first_frame.json"), mask.get(REFUSED)
    missing = [kind for kind, path in files.items() if not path.exists()] + ["caption"] * (None in captions)
    warnings = [*mask.get("warnings", []), *([f"Not made: {', '.join(missing)}."] if missing else [])]
    if refused:
        warnings.append(f"This edit is not made: found {refused['found']}; expected {refused['expected']}.")
    return {
        "clip": name[0],
        "edit": name[1],
        "decision": decisions.get(name, ""),
        **{kind: _address(results, path) if path.exists() else None for kind, path in files.items()},
        "references": [_address(results, path) for path in references],
        "captions": captions,
        "instruction": made.get("instruction"),
        "tries": [_describe_try(results, folder, one, made["seed"]) for one in made.get("tries", [])],
        "method": mask.get("method"),
        "confidence": mask.get("confidence"),
        "doubtful": bool(mask.get("needs_a_look") or missing or refused),
        "warnings": warnings,
    }


def _describe_try(results: Path, folder: Path, one: Mapping[str, Any], taken: int) -> dict[str, Any]:
    """Gather what the page shows of a try at an edit by instruction; see `lib.editors.tries.Try`."""
    picture = folder / "made_first_frames" / f"{one['seed']}.png"
    measures = [f"changed {one['changed_share']:.0%}"]
    if one["alignment"] is not None:
        measures.append(f"alignment {one['alignment']:+.3f}")
    if one["outside_share"] is not None:
        measures.append(f"outside {one['outside_share']:.0%}")
    shown = {"picture": _address(results, picture), "words": ", ".join(measures)}
    return {**shown, "seed": one["seed"], "taken": one["seed"] == taken}


def hours_to_come(results: Path, num_edits: int) -> float | None:
    """Estimate the hours that trainings and generations of so many edits take, from those made in this folder.

    Returns:
        None where none was made here yet.
    """
    seconds = [_mean_seconds(results, stage) for stage in STAGES]
    if seconds[STAGES.index("generate")] is None:
        return None
    return num_edits * sum(each for each in seconds if each is not None) / 3600


def _mean_seconds(results: Path, stage: str) -> float | None:
    """Return what a stage took on average, by Snakemake's benchmark files, whose first column are seconds."""
    found = []
    for path in (results / "benchmarks").rglob(f"{stage}*.tsv"):
        try:
            found.append(float(path.read_text(encoding="utf-8").splitlines()[1].split("\t")[0]))
        except (OSError, ValueError, IndexError):  # being written, or of a job that was killed
            continue
    return sum(found) / len(found) if found else None


def _address(results: Path, path: Path) -> str:
    """Return a file's address on the page."""
    return quote(path.relative_to(results).as_posix())
