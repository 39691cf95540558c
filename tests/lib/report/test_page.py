"""The page and its parts, read back from disk."""

import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pandas as pd
import pytest

from lib.core.files import write_json
from lib.report.page import write_report
from lib.report.table import write_metrics_table
from tests.lib.report.example_batch import CAR, DOG, EXPECTED, PROBLEMS, ROAD, VERSIONS, write_log

DOUBTFUL = {"method": "yolo", "confidence": 0.1, "needs_a_look": True}


def write(results: Path, expected: list = EXPECTED, problems: list = PROBLEMS, names: dict = {}) -> str:  # noqa: B006 - never changed
    """Write the report and return the page."""
    output = results / "report" / "index.html"
    write_report(results, expected, names, problems, "Édits <1>", VERSIONS, output)
    return output.read_text(encoding="utf-8")


def read_part(path: Path) -> dict:
    """Return what a script of the folder parts hands over, under its own address."""
    call = re.fullmatch(r"receivePart\((.*)\);\n", path.read_text(encoding="utf-8"))
    address, part = json.loads(f"[{call[1]}]")
    assert path.as_posix().endswith(unquote(address))
    return part


def read_edit(results: Path, clip: str, edit: str) -> dict:
    """Return the part of an edit."""
    return read_part(results / "report" / "parts" / "edits" / clip / f"{edit}.js")


def read_all(results: Path) -> str:
    """Return the HTML of the page and of all parts."""
    report = results / "report"
    parts = [read_part(path)["html"] for path in sorted((report / "parts").rglob("*.js"))]
    return "\n".join([(report / "index.html").read_text(encoding="utf-8"), *parts])


def read_rows(page: str) -> list[dict]:
    """Return the rows of the table as the page's script reads them."""
    return read_values(page, "rows")


def read_values(page: str, name: str) -> Any:
    """Return values that the page holds for its script."""
    return json.loads(re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.DOTALL)[1])


def list_addresses(html: str) -> list[str]:
    """Return what the page and its parts refer to outside themselves."""
    found = re.findall(r'\b(?:src|href|poster|data-part)="([^"]*)"', html)
    found += [row["tile"]["edited"] for row in read_rows(html) if "edited" in row["tile"]]
    for source in read_values(html, "sources").values():
        found += [source[kind] for kind in ("video", "poster") if kind in source]
    return [address for address in found if not address.startswith(("#", "data:"))]


def test_table_and_page_show_names_where_paths_have_ids(results: Path) -> None:
    """Ids join rows to files; people read what they wrote, in rows, headings, failures and times."""
    names = {CAR: "my <car>", f"{CAR}/red car": "красная", DOG: "собака"}
    write_metrics_table(results, EXPECTED, names, results / "metrics.csv")
    table = pd.read_csv(results / "metrics.csv").set_index(["clip", "edit"])
    assert set(table.loc[(CAR, "red car"), "clip_name"]) == {"my <car>"}
    assert set(table.loc[(CAR, "red car"), "edit_name"]) == {"красная"}
    assert set(table.loc[(ROAD, "мокрая дорога"), "edit_name"]) == {"мокрая дорога"}
    page = write(results, names=names)
    rows = page[page.index('<tbody class="rows">') : page.index("</table>")]
    assert "my &lt;car&gt;" in rows and "красная" in rows and CAR not in rows and "собака" in rows
    assert [row["edit"] for row in read_rows(page)][:2] == ["красная", "красная"]
    part = read_edit(results, CAR, "red car")
    assert "my &lt;car&gt;" in part["html"] and "красная" in part["html"]
    assert "my <car>/красная/mask_lora/generate" in dict(part["facts"])["Time and peak memory of each stage"]
    assert [folder for folder in (results / "report" / "media").iterdir() if folder.name == CAR]


def test_shared_failure_is_told_once(results: Path) -> None:
    """Edits held up by the same job stand together at the top."""
    expected = [(CAR, f"new {number}", "mask_lora") for number in range(12)]
    write_log(results, f"{CAR}/caption", "failed: no such model")
    page = write(results, expected)
    assert "Failed: 1 job, 12 edited videos not made" in page
    assert "and 4 more" in page


def test_problems_and_failures_come_before_the_table(results: Path) -> None:
    """What was left out and what failed cannot be overlooked: links at the top lead to it, past the gallery."""
    page = write(results)
    top = ['href="#left-out">1 problem with the inputs', 'href="#failures">2 failed jobs', 'id="gallery"']
    lists = ['id="left-out"', "a video of zero frames", 'id="failures"', "CUDA out of memory", 'id="batch-table"']
    places = [page.index(text) for text in top + lists]
    assert places == sorted(places)
    clean = write(results, EXPECTED[:3], [])
    assert 'class="alarm"' not in clean


def test_every_address_leads_to_a_file_in_the_folder(results: Path) -> None:
    """Names with blanks, signs and any script are encoded, and nothing points outside the folder."""
    write(results)
    addresses = list_addresses(read_all(results))
    assert len(addresses) > 30
    for address in addresses:
        assert re.fullmatch(r"[\w.%/~-]+", address, re.ASCII) and ".." not in address
        assert (results / "report" / unquote(address)).is_file(), address


def test_page_asks_nothing_of_the_network(results: Path) -> None:
    """Apart from the name of the SVG language there is no web address in the page and its parts."""
    write(results)
    addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^'\"\s]*", read_all(results)))
    assert addresses == {"http://www.w3.org/2000/svg"}


def test_names_are_text(results: Path) -> None:
    """Markup in names, reasons and captions is shown, not obeyed."""
    write(results)
    html = read_all(results)
    assert "<b>" not in html and "<GPU" not in html and "<16>" not in html and "Édits &lt;1&gt;" in html
    assert "&lt;GPU 0&gt;" in read_edit(results, DOG, "hat & scarf?")["html"]


def test_prompts_of_references_are_shown(results: Path) -> None:
    """Where references were shown with captions of their own the page has them beside the edit's prompt."""
    made = {"prompt": "p3rs0n, a red disc", "reference_prompts": {"12": "p3rs0n, a disc turned blue"}}
    (results / CAR / "red car" / "encoded").mkdir(exist_ok=True)
    write_json(results / CAR / "red car" / "encoded" / "edit.json", {"settings": made})
    write(results)
    page = read_all(results)
    assert "Reference at frame 12" in page and "p3rs0n, a disc turned blue" in page


def test_media_are_linked_and_follow_their_source(results: Path) -> None:
    """Videos take no room twice, and a new result replaces the old one."""
    write(results)
    inner = Path(CAR, "red car", "mask_lora", "edited.mp4")
    assert (results / "report/media" / inner).samefile(results / inner)
    (results / "new.mp4").write_bytes(b"new")
    (results / "new.mp4").replace(results / inner)
    write(results)
    assert (results / "report/media" / inner).read_bytes() == b"new"


def test_media_are_copied_where_links_are_impossible(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another disk, or one without hard links, gets copies; they are made once."""

    def refuse(*_: object) -> None:
        raise OSError("no hard links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    write(results)
    copied = results / "report/media" / CAR / "source_preview.mp4"
    before = copied.stat()
    assert copied.read_bytes() == (results / CAR / "source_preview.mp4").read_bytes()
    write(results)
    assert copied.stat().st_ino == before.st_ino


def test_media_of_dropped_edits_are_removed(results: Path) -> None:
    """The folder holds the page, its parts, what these show, and nothing else."""
    write(results, problems=PROBLEMS * 9)
    report = results / "report"
    assert (report / "parts" / "problems.js").is_file()
    write(results, EXPECTED[:1])
    files = {path.relative_to(report).as_posix() for path in report.rglob("*") if path.is_file()}
    shown = {unquote(address) for address in list_addresses(read_all(results))}
    assert files == shown | {"index.html", f"parts/edits/{CAR}/red car.js"}
    assert [folder.name for folder in (report / "media").iterdir()] == [CAR]


@pytest.mark.parametrize(
    "spoil", [lambda path: path.unlink(), lambda path: os.truncate(path, path.stat().st_size // 2)]
)
def test_any_file_may_be_missing_or_cut_off(results: Path, spoil) -> None:
    """Whatever single result is lost, the page and the table are written and name every edit."""
    expected = EXPECTED[2:4]  # a finished edit and a failed one
    files = [path for path in sorted(results.rglob("*")) if path.is_file() and CAR not in path.parts]
    assert len(files) > 20
    for path in files:
        kept = path.read_bytes()
        spoil(path)
        assert len(page_states(write(results, expected))) == 2, path
        write_metrics_table(results, expected, {}, results / "metrics.csv")
        path.unlink(missing_ok=True)  # what is linked into the report must not be written to
        path.write_bytes(kept)


def test_nothing_at_all_gives_a_page(tmp_path: Path) -> None:
    """A batch of which every clip was left out still has its page."""
    assert "a video of zero frames" in write(tmp_path, [])
    page = write(tmp_path, EXPECTED)
    assert page_states(page) == ["not run"] * len(EXPECTED)
    assert page.count('<td class="number">–</td>') >= len(EXPECTED), "no time"


def page_states(page: str) -> list[str]:
    """Return the states in the table's rows, which are the same with and without a script."""
    table = page[page.index('<tbody class="rows">') : page.index("</table>")]
    states = re.findall(r'class="status [\w-]+">([\w ]+)<', table)
    assert states == [row["status"] for row in read_rows(page)]
    return states


def test_what_is_unchanged_is_not_written_again(results: Path) -> None:
    """Of all parts only that of the edit which has a new result is another file afterwards."""
    write(results)
    paths = sorted((results / "report" / "parts").rglob("*.js"))
    before = {path: path.stat().st_ino for path in paths}
    metrics = results / CAR / "red car/base/metrics.json"
    metrics.write_text(metrics.read_text().replace("0.", "1."))
    write(results)
    assert [path.name for path in paths if path.stat().st_ino != before[path]] == ["red car.js"]


def test_long_lists_are_cut_before_the_table(results: Path) -> None:
    """Any number of problems, failures and doubtful masks leaves the page small; what it leaves out is in parts."""
    expected = [(CAR, f"new {number}", "mask_lora") for number in range(1200)]
    for number in range(200):
        write_log(results, f"{CAR}/new {number}/generate", "failed: no reason")
        write_json(results / CAR / f"new {number}" / "edit_mask.json", DOUBTFUL)
    page = write(results, expected, PROBLEMS * 3000)
    top = page[: page.index('id="batch-table"')]
    assert "Failed: 200 jobs, 200 edited videos not made" in top and "Look at 200 masks" in top
    assert "Left out: 3,000 problems" in top and len(top) < 60_000
    counts = {"failures": ("reason</dt>", 200), "problems": ("a video of zero frames", 3000), "doubtful": ("yolo", 200)}
    for name, (entry, count) in counts.items():
        rest = read_part(results / "report" / "parts" / f"{name}.js")["html"]
        assert (top.count(entry), rest.count(entry)) == (3, count - 3), name


def test_page_without_a_script_shows_the_first_rows(results: Path) -> None:
    """Of a long table its first hundred rows are there without a script, and the page says what is not."""
    page = write(results, [(CAR, f"new {number}", "mask_lora") for number in range(150)])
    table = page[page.index('<tbody class="rows">') : page.index("</table>")]
    assert re.findall(r'<th scope="row"[^>]*><a href="[^"]+">([^<]+)', table) == [
        f"new {number}" for number in range(100)
    ]
    said = " ".join(re.findall(r"<noscript>(.*?)</noscript>", page))
    assert "the first 100 of 150 edited videos" in said
    assert len(read_rows(page)) == 150


def test_unknown_metrics_are_shown_as_they_are(results: Path) -> None:
    """A metric that the page has no words for gets a column of its own."""
    path = results / CAR / "red car/base/metrics.json"
    metrics = json.loads(path.read_text())
    metrics["rows"]["edited"]["mean"]["new_thing"] = 12.5
    path.write_text(json.dumps(metrics))
    write(results)
    html = read_edit(results, CAR, "red car")["html"]
    assert "New thing" in html and "12.500" in html


def test_what_stage_1_started_from_is_told(results: Path) -> None:
    """A shared LoRA by its path, with its loss curve; a fresh one as such."""
    folder = results / CAR / "lora" / "edit"
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"num_steps": 15, "training": {"layers": ["self_attention"], "seed": 0}}
    given = {"results/car/encoded/edit.safetensors": "a", "results/shared/edit.safetensors": "b"}
    write_json(folder / "decouple.json", {"settings": settings, "inputs": given})
    (results / "shared").mkdir()
    (results / "shared" / "edit.jsonl").write_text('{"step": 1, "loss": 0.5}\n{"step": 2, "loss": 0.4}\n')
    write(results)
    part = json.dumps(read_edit(results, CAR, "red car"), ensure_ascii=False)
    assert "results/shared/edit.safetensors" in part and "self_attention" in part
    assert "Loss · The shared start · mask “edit”" in part
    write_json(folder / "decouple.json", {"settings": settings, "inputs": dict(list(given.items())[:1])})
    write(results)
    assert "a fresh LoRA" in json.dumps(read_edit(results, CAR, "red car"))
