"""The comparison of methods as tables for a paper: Markdown, LaTeX and CSV, with a caption that says what was done."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

from lib.core.files import whole_file
from lib.report.comparison import ComparedMethod, Comparison, Score
from lib.report.metric_labels import Metric

NOTHING = "–"
LATEX = {
    **{char: f"\\{char}" for char in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    NOTHING: "--",
    "±": r"$\pm$",
    "−": "$-$",
    "<": "$<$",
    ">": "$>$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
}
FEWEST_CLIPS = 6  # of a signed-rank test that can fall below 0.05


def write_tables(compared: Comparison, folder: Path, name: str) -> list[Path]:
    """Write folder/name.md, .tex and .csv, each whole or not at all, and return them."""
    written = []
    for suffix, write in ((".md", as_markdown), (".tex", as_latex), (".csv", as_csv)):
        path = folder / f"{name}{suffix}"
        with whole_file(path) as temporary:
            temporary.write_text(write(compared), encoding="utf-8", newline="")
        written.append(path)
    return written


def as_markdown(compared: Comparison) -> str:
    """Write scores and differences as two tables, each under its caption."""
    scores = markdown_table(_score_lines(compared, bold=lambda text: f"**{text}**"))
    parts = ["## Scores", caption(compared), scores]
    if lines := _difference_lines(compared):
        parts += [f"## Differences from {one_line(compared.reference)}", difference_caption(compared)]
        parts.append(markdown_table(lines))
    return "\n\n".join(parts) + "\n"


def as_latex(compared: Comparison) -> str:
    """Write the same as two `table` environments; they need the package booktabs."""
    tables = [latex_table(_score_lines(compared, bold=latex_bold), caption(compared), "scores")]
    if lines := _difference_lines(compared):
        tables.append(latex_table(lines, difference_caption(compared), "differences"))
    return "% \\usepackage{booktabs}\n" + "\n".join(tables)


def as_csv(compared: Comparison) -> str:
    """Write a line for each method and control, with every digit: means, errors, differences, their p."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    columns = [
        f"{metric.name}{part}"
        for metric in compared.metrics
        for part in ("", "_se", "_difference", "_difference_se", "_difference_clips", "_p")
    ]
    table.writerow(["method", "method_name", "kind", "num_clips", "num_videos", *columns])
    for row in compared.methods:
        cells: list[object] = []
        for metric in compared.metrics:
            score, less = row.scores.get(metric.name), row.differences.get(metric.name)
            cells += [score and score.mean, score and score.standard_error]
            cells += [less and less.mean, less and less.standard_error, less and less.num_clips, less and less.p]
        table.writerow([row.id, row.name, row.kind, row.num_clips, row.num_videos, *cells])
    return text.getvalue()


def caption(compared: Comparison) -> str:
    """Say what the scores are and what they were measured with."""
    used = {key: ", ".join(values) for key, values in compared.measured_with.items()}
    clip = f"{used.get('clip_model', 'a model that is not told')}, weights {used.get('clip_weights', 'not told')}"
    sentences = [
        "Mean over clips ± its standard error; the edits of a clip are averaged first, an edit's score is the mean over"
        f" its frames ({used.get('num_frames', '?')} of {used.get('size', '?')} pixels).",
        "CLIP score, input similarity and temporal consistency: cosine of CLIP image embeddings (projected class token,"
        " unit length) of each frame with the edited first frame, the source's frame, and the frame before;"
        f" CLIP: {clip} (SHA-256, first digits).",
        f"Background: outside the edit mask, grown by {used.get('background_dilation', '?')} pixels; PSNR over its"
        " pixels alone, at most 100 dB.",
        "VAE round trip: the source through the model's VAE, the ceiling of what pastes no source pixels back;"
        " unedited copy: the source as if it were the output.",
    ]
    if not compared.same_edits:
        sentences.append("The methods have different edits: their means do not compare, their differences do.")
    if any(len(values) > 1 for key, values in compared.measured_with.items() if key.startswith(("clip", "back"))):
        sentences.append("Not all videos were measured alike: run the batch again before these figures are used.")
    notes = [f"{row.name}: {'; '.join(row.notes)}." for row in compared.methods if row.notes]
    return " ".join([*sentences, *notes])


def difference_caption(compared: Comparison) -> str:
    """Say how the differences were found and tested."""
    clips, edits = compared.num_paired_clips, compared.num_paired_edits
    few = " Fewer than 6 clips cannot give a p below 0.05." if clips < FEWEST_CLIPS else ""
    return (
        f"Method less {compared.reference}, frame by frame where both have one, then averaged as above, over"
        f" what all compared methods have (clips: {clips}, edits: {edits}); ± standard error over clips. p: Wilcoxon's"
        f" signed-rank test over clips, two-sided, not corrected for the number of tests.{few}"
    )


def _score_lines(compared: Comparison, bold: Callable[[str], str]) -> list[list[str]]:
    lines = [["Method", *map(_heading, compared.metrics), "Clips"]]
    for row in compared.methods:
        cells = []
        for metric in compared.metrics:
            text = _format(row.scores.get(metric.name), metric)
            cells.append(bold(text) if _is_best(row, metric, compared) else text)
        lines.append([one_line(row.name), *cells, str(row.num_clips)])
    return lines


def _difference_lines(compared: Comparison) -> list[list[str]]:
    """Return the lines of the second table; none where nothing is compared."""
    others = [row for row in compared.methods if row.differences]
    heading = ["Method", *map(_heading, compared.metrics), "Clips"]
    lines = []
    for row in others:
        cells = [_format_difference(row.differences.get(metric.name), metric) for metric in compared.metrics]
        lines.append([one_line(row.name), *cells, str(compared.num_paired_clips)])
    return [heading, *lines] if lines else []


def _heading(metric: Metric) -> str:
    arrow = {True: " ↑", False: " ↓", None: ""}[metric.higher_is_better]
    return f"{metric.label}{f' ({metric.unit})' if metric.unit else ''}{arrow}"


def _is_best(row: ComparedMethod, metric: Metric, compared: Comparison) -> bool:
    """Tell whether a method leads in a metric; nobody does where the methods have different edits."""
    score = row.scores.get(metric.name)
    rivals = [other.scores.get(metric.name) for other in compared.methods if other.kind != "control"]
    means = [rival.mean for rival in rivals if rival]
    if score is None or row.kind == "control" or len(means) < 2 or not compared.same_edits:
        return False
    best = {True: max(means), False: min(means), None: None}[metric.higher_is_better]
    return score.mean == best


def _format(score: Score | None, metric: Metric) -> str:
    if score is None:
        return NOTHING
    error = f" ± {score.standard_error:.{metric.digits}f}" if score.standard_error is not None else ""
    return f"{score.mean:.{metric.digits}f}{error}"


def _format_difference(score: Score | None, metric: Metric) -> str:
    if score is None:
        return NOTHING
    error = f" ± {score.standard_error:.{metric.digits}f}" if score.standard_error is not None else ""
    p = "" if score.p is None else ", p < 0.001" if score.p < 0.001 else f", p = {score.p:.2g}"
    return f"{score.mean:+.{metric.digits}f}{error}{p}".replace("-", "−")


def one_line(text: str) -> str:
    """Write a name on one line."""
    return " ".join(text.split())


def markdown_table(lines: Sequence[Sequence[str]]) -> str:
    """Write lines of cells, the heading first, as a Markdown table."""
    heading, *rows = [[cell.replace("\\", "\\\\").replace("|", "\\|") for cell in line] for line in lines]
    drawn = [heading, ["---", *["---:"] * (len(heading) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in drawn)


def latex_table(lines: Sequence[Sequence[str]], text: str, label: str) -> str:
    """Write lines of cells, the heading first, as a `table` environment with a caption and the label tab:LABEL."""
    heading, *rows = [" & ".join(map(_latex, line)) + r" \\" for line in lines]
    body = [r"\toprule", heading, r"\midrule", *rows, r"\bottomrule"]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_latex(text)}}}",
            rf"\label{{tab:{label}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(lines[0]) - 1)}}}",
            *body,
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


BOLD = "\x00"  # around what is bold, until it is written


def latex_bold(text: str) -> str:
    """Mark a cell of `latex_table` as bold."""
    return f"{BOLD}{text}{BOLD}"


def _latex(text: str) -> str:
    written = "".join(LATEX.get(char, char) for char in text)
    _, *parts = f"{BOLD}{written}".split(BOLD)
    return "".join(part if index % 2 == 0 else rf"\textbf{{{part}}}" for index, part in enumerate(parts))
