"""Methods are compared over clips, paired where all have them, and written as tables that say what was done."""

import csv
import io
from pathlib import Path

import pytest

from lib.core.errors import InputError
from lib.core.files import write_json
from lib.report.comparison import compare_methods
from lib.report.table import write_metrics_table
from lib.report.table_files import as_csv, as_latex, as_markdown, write_tables

OURS, TOOL, ODD = "mask_lora", "outside_tool", "outside_a-tool-00000000"
SETTINGS = {
    "metrics": {"clip_model": "tiny_clip", "background_dilation": 4},
    "models": {"metrics.clip_model": "0123abcd", "model.name/vae": "ffff"},
}


def _write(
    results: Path, scores: dict[tuple[str, str, str], list[float | None]], notes: list[str] | None = None
) -> None:
    """Write a batch by the PSNR of each frame; the method ODD has a name that needs care."""
    for (clip, edit, method), psnr in scores.items():
        known = [value for value in psnr if value is not None]
        edited = {"per_frame": {"background_psnr": psnr}, "mean": {"background_psnr": sum(known) / len(known)}}
        control = {"per_frame": {"background_psnr": [40.0] * len(psnr)}, "mean": {"background_psnr": 40.0}}
        rows = {"edited": edited, "vae_round_trip": control}
        folder = results / clip / edit / method
        write_json(folder / "metrics.json", {"rows": rows, "provenance": {"settings": SETTINGS}})
        write_json(folder / "edited.json", {"notes": notes or [] if method != OURS else []})
        write_json(results / clip / "source_video.json", {"width": 64, "height": 48, "times": [0.0] * len(psnr)})
    names = {f"{clip}/{edit}/{ODD}": "A tool | 100%_&" for clip, edit, method in scores if method == ODD}
    write_metrics_table(results, list(scores), names, results / "metrics.csv")


def test_means_are_over_clips_and_pairs_over_what_all_have(tmp_path: Path) -> None:
    """The edits of a clip count as one; a frame that one video lacks is compared with nothing."""
    _write(
        tmp_path,
        {
            ("a", "e1", OURS): [30.0, 34.0], ("a", "e2", OURS): [20.0, 20.0], ("b", "e1", OURS): [10.0, 10.0],
            ("a", "e1", TOOL): [29.0, None], ("b", "e1", TOOL): [8.0, 6.0],
        },
        ["measured at 1 of 2 frames"],
    )  # fmt: skip
    compared = compare_methods(tmp_path, None, None)
    ours, tool, control = compared.methods
    assert (ours.id, tool.name, tool.kind, control.kind) == (OURS, "tool", "outside", "control")
    assert (ours.num_clips, ours.num_videos, tool.num_videos) == (2, 3, 2)
    assert ours.scores["background_psnr"].mean == pytest.approx((26 + 10) / 2), "clip a: the mean of 32 and 20"
    assert ours.scores["background_psnr"].standard_error == pytest.approx(8.0)
    difference = tool.differences["background_psnr"]
    assert difference.mean == pytest.approx(((29 - 30) + (7 - 10)) / 2)
    assert (difference.num_clips, difference.p) == (2, 0.5) and compared.num_paired_edits == 2
    assert not compared.same_edits
    markdown = as_markdown(compared)
    assert "tool: measured at 1 of 2 frames (2 of 2 videos)." in markdown
    assert "their means do not compare" in markdown and "**" not in markdown


def test_only_what_all_compared_methods_have_is_paired(tmp_path: Path) -> None:
    """A third method of one clip leaves one pair; without it there are two again."""
    scores = {(clip, "e", method): [20.0] for clip in "ab" for method in (OURS, TOOL)}
    _write(tmp_path, {**scores, ("b", "e", ODD): [25.0]})
    assert compare_methods(tmp_path, None, None).num_paired_clips == 1
    assert compare_methods(tmp_path, [OURS, "tool"], None).num_paired_clips == 2
    turned = compare_methods(tmp_path, None, "A tool | 100%_&")
    assert turned.methods[0].id == ODD and turned.reference == "A tool | 100%_&"
    assert compare_methods(tmp_path, ["tool"], None).reference == "tool", "outside methods alone compare too"


def test_captions_say_what_was_measured_with_what(tmp_path: Path) -> None:
    """CLIP, how it is pooled, its weights, the mask, and how few clips there are."""
    _write(tmp_path, {("a", "e", OURS): [20.0], ("a", "e", TOOL): [22.0]})
    for text in (as_markdown(compare_methods(tmp_path, None, None)), as_latex(compare_methods(tmp_path, None, None))):
        for word in ("0123abcd", "projected class token", "grown by 4 pixels", "1 of 64x48 pixels", "signed-rank",
                     "clips: 1, edits: 1", "Fewer than 6 clips"):  # fmt: skip
            assert word in text, word
    assert "tiny_clip" in as_markdown(compare_methods(tmp_path, None, None))
    assert "tiny\\_clip" in as_latex(compare_methods(tmp_path, None, None))
    assert "**22.00**" in as_markdown(compare_methods(tmp_path, None, None))
    assert r"\textbf{22.00}" in as_latex(compare_methods(tmp_path, None, None))


def test_names_are_text_in_every_format(tmp_path: Path) -> None:
    """What would end a cell, a line or a command stands as it is."""
    _write(tmp_path, {("a", "e", OURS): [20.0], ("a", "e", ODD): [22.0]})
    compared = compare_methods(tmp_path, None, None)
    assert "| A tool \\| 100%_& |" in as_markdown(compared)
    assert r"A tool | 100\%\_\& & " in as_latex(compared)
    lines = list(csv.DictReader(io.StringIO(as_csv(compared))))
    assert [line["method_name"] for line in lines] == [OURS, "A tool | 100%_&", "VAE round trip"]
    assert float(lines[1]["background_psnr_difference"]) == 2.0 and lines[0]["background_psnr_p"] == ""
    written = write_tables(compared, tmp_path / "tables", "methods")
    assert [path.name for path in written] == ["methods.md", "methods.tex", "methods.csv"]
    assert all(path.stat().st_size for path in written)


def test_nothing_measured_and_unknown_methods_are_told(tmp_path: Path) -> None:
    """Before there is a table, and by the nearest name there is."""
    with pytest.raises(InputError, match="no table of this version"):
        compare_methods(tmp_path, None, None)
    _write(tmp_path, {("a", "e", TOOL): [20.0]})
    with pytest.raises(InputError, match=r"'tol', which nothing is measured of; expected 'tool'"):
        compare_methods(tmp_path, ["tol"], None)
