"""What people said as tables for a paper: Markdown, LaTeX and CSV, with captions that say what was done."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

from lib.core.files import whole_file
from lib.core.text import printable
from lib.report.table_files import NOTHING, latex_bold, latex_table, markdown_table, one_line
from lib.study.ranks import NUM_RESAMPLES, Estimate, Outcome, Verdict


def write_study_tables(outcome: Outcome, folder: Path) -> list[Path]:
    """Write folder/study_NAME.md, .tex and .csv, each whole or not at all, and return them."""
    written = []
    for suffix, write in ((".md", as_markdown), (".tex", as_latex), (".csv", as_csv)):
        path = folder / f"study_{outcome.study.name}{suffix}"
        with whole_file(path) as temporary:
            temporary.write_text(write(outcome), encoding="utf-8", newline="")
        written.append(path)
    return written


def as_markdown(outcome: Outcome) -> str:
    """Write ranks, preferences and agreement, each under its caption."""
    parts = ["## Ranks by people", rank_caption(outcome)]
    parts.append(markdown_table(_rank_lines(outcome, bold=lambda text: f"**{text}**")))
    parts += ["## Preferences", win_caption(outcome)]
    for verdict in outcome.verdicts:
        parts += [f"### {_shown(verdict.question.label)}", markdown_table(_win_lines(outcome, verdict))]
    parts += ["## Agreement", agreement_caption(outcome), markdown_table(_agreement_lines(outcome))]
    return "\n\n".join(parts) + "\n"


def as_latex(outcome: Outcome) -> str:
    """Write the same as `table` environments; they need the package booktabs."""
    tables = [latex_table(_rank_lines(outcome, bold=latex_bold), rank_caption(outcome), "study-ranks")]
    for number, verdict in enumerate(outcome.verdicts, start=1):
        text = f"{one_line(verdict.question.label)}. {win_caption(outcome)}"
        tables.append(latex_table(_win_lines(outcome, verdict), text, f"study-preferences-{number}"))
    tables.append(latex_table(_agreement_lines(outcome), agreement_caption(outcome), "study-agreement"))
    return "% \\usepackage{booktabs}\n" + "\n".join(tables)


def as_csv(outcome: Outcome) -> str:
    """Write a line for each figure, with every digit."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["question", "figure", "method", "method_name", "over", "over_name", "value", "low", "high"])
    names = outcome.study.methods
    for verdict in outcome.verdicts:
        label = verdict.question.label
        for method, rank in verdict.ranks.items():
            table.writerow([label, "mean_rank", method, names[method], "", "", rank.mean, rank.low, rank.high])
        for (one, other), won in verdict.wins.items():
            row = [label, "preferred", one, names[one], other, names[other], won.mean, won.low, won.high]
            table.writerow(row)
        agreed = verdict.agreement
        figures = {agreed.name: agreed.value, "by_chance": agreed.by_chance, "alike": agreed.alike}
        figures |= {"num_people": outcome.num_people, "num_items": len(outcome.study.items)}
        figures |= {"num_answers": outcome.num_people * len(outcome.study.items)}
        for name, value in figures.items():
            table.writerow([label, name, "", "", "", "", value, "", ""])
    return text.getvalue()


def rank_caption(outcome: Outcome) -> str:
    """Say what the ranks are, and of how many people."""
    study = outcome.study
    edits = {(item.clip, item.edit) for item in study.items}
    how = (
        "each person put the videos of all methods in order, blind; ranks are averaged over the edits of each person"
        if study.mode == "sets"
        else "each person chose between two videos, or said that they do not differ, blind; methods are ranked for each"
        " person by the share of their pairs that they won, no difference counting as half"
    )
    questions = "; ".join(f"{one_line(asked.label)}: “{one_line(asked.text)}”" for asked in study.questions)
    return (
        f"Mean rank over {outcome.num_people} people, 1 is best: {how} ({len(study.items)} {study.mode} of"
        f" {len(edits)} edits, {outcome.num_answers} answers, each of {outcome.median_seconds:.1f} s in the median)."
        f" {_intervals(outcome)} They say how sure the mean is for these edits, not for others. Asked: {questions}"
    )


def win_caption(outcome: Outcome) -> str:
    """Say what a share of the preferences is."""
    half = "" if outcome.study.mode == "sets" else " no difference counts as half;"
    return (
        f"How often the method of the line is preferred to that of the column;{half} 50 % where people see no"
        f" difference. {_intervals(outcome)}"
    )


def agreement_caption(outcome: Outcome) -> str:
    """Say which measure of agreement is used and what it would be by chance."""
    if outcome.study.mode == "sets":
        chance = 1 / outcome.num_people
        measure = (
            "Kendall's coefficient of concordance W of the people's orders of each edit, averaged over edits: 1 where"
            f" all have the same order; orders at random give {chance:.2f} with this number of people."
        )
    else:
        measure = (
            "Fleiss' kappa of the choices (one, the other, no difference), each pair counted in both orders since which"
            " video is the first means nothing: 1 where all choose alike, 0 as at random."
        )
    return f"{measure} Alike: the share of two people's judgements of the same two videos that are the same."


def _intervals(outcome: Outcome) -> str:
    if outcome.num_people < 2:
        return "No interval: one person alone."
    return f"In brackets: 95 % confidence intervals, a bootstrap over people ({NUM_RESAMPLES} resamples)."


def _rank_lines(outcome: Outcome, bold: Callable[[str], str]) -> list[list[str]]:
    lines = [["Method", *(f"{_shown(verdict.question.label)} ↓" for verdict in outcome.verdicts)]]
    best = [min(rank.mean for rank in verdict.ranks.values()) for verdict in outcome.verdicts]
    for method, name in outcome.study.methods.items():
        cells = []
        for verdict, least in zip(outcome.verdicts, best, strict=True):
            text = _format(verdict.ranks[method])
            cells.append(bold(text) if verdict.ranks[method].mean == least else text)
        lines.append([_shown(name), *cells])
    return lines


def _win_lines(outcome: Outcome, verdict: Verdict) -> list[list[str]]:
    names = outcome.study.methods
    lines = [["Preferred", *(f"to {_shown(name)}" for name in names.values())]]
    for one, name in names.items():
        cells = [NOTHING if one == other else _format_share(verdict.wins[one, other]) for other in names]
        lines.append([_shown(name), *cells])
    return lines


def _agreement_lines(outcome: Outcome) -> list[list[str]]:
    lines = [["Question", outcome.verdicts[0].agreement.name, "Alike", "People", "Answers"]]
    for verdict in outcome.verdicts:
        value, alike = verdict.agreement.value, verdict.agreement.alike
        figures = [NOTHING if value is None else f"{value:.2f}", NOTHING if alike is None else f"{100 * alike:.0f} %"]
        counts = [str(outcome.num_people), str(outcome.num_people * len(outcome.study.items))]
        lines.append([_shown(verdict.question.label), *figures, *counts])
    return lines


def _format(rank: Estimate) -> str:
    interval = "" if rank.low is None else f" [{rank.low:.2f}, {rank.high:.2f}]"
    return f"{rank.mean:.2f}{interval}"


def _format_share(won: Estimate) -> str:
    interval = "" if won.low is None or won.high is None else f" [{100 * won.low:.0f}, {100 * won.high:.0f}]"
    return f"{100 * won.mean:.0f} %{interval}"


def _shown(text: str) -> str:
    """Write a name on one line, in signs that can be shown."""
    return printable(one_line(text))
